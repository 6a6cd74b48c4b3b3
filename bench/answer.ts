// The one answer that the upstream gives, whatever it is asked.

const empty = '{"jsonrpc":"2.0","id":1,"result":"0x"}'

/**
 * A JSON-RPC answer of so many bytes: one object, or for a batch an array of so many. Throws when it cannot be that
 * small.
 */
export function answerOf(bytes: number, calls = 1): string {
  if (calls === 1) return objectOf(bytes, 1)
  const punctuation = calls + 1
  const each = Math.floor((bytes - punctuation) / calls)
  const rest = bytes - punctuation - each * calls
  const objects = Array.from({ length: calls }, (_, id) =>
    objectOf(id === 0 ? each + rest : each, id)
  )
  return `[${objects.join()}]`
}

function objectOf(bytes: number, id: number): string {
  const start = empty.replace('"id":1', `"id":${id}`)
  if (!(bytes >= start.length)) {
    throw new RangeError(`an answer has at least ${start.length} bytes, not ${bytes}`)
  }
  return start.replace('0x', `0x${'1'.repeat(bytes - start.length)}`)
}
