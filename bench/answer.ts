// The one answer that the upstream gives, whatever it is asked.

const empty = '{"jsonrpc":"2.0","id":1,"result":"0x"}'

/** A JSON-RPC answer of so many bytes. Throws when it cannot be that small. */
export function answerOf(bytes: number): string {
  if (!(bytes >= empty.length)) {
    throw new RangeError(`an answer has at least ${empty.length} bytes, not ${bytes}`)
  }
  return empty.replace('0x', `0x${'1'.repeat(bytes - empty.length)}`)
}
