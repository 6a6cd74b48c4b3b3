// The params of a call, as its client wrote them, found without building them.
import { byteAt, endOfString, endOfValue, skipSpace, startOfMemberValue } from './json.ts'
import type { RpcCall } from './scan.ts'

const name = Buffer.from('"params"')
const comma = 0x2c

/** The beginning of the call's params, at most `bytesMax` bytes of whole characters; null when it has none. */
export function paramsExcerpt(body: Buffer, call: RpcCall, bytesMax: number): string | null {
  let at = skipSpace(body, call.start + 1)
  while (at < call.end) {
    const nameEnd = endOfString(body, at)
    const start = startOfMemberValue(body, nameEnd)
    const end = endOfValue(body, start)
    if (end < 0) return null
    if (name.equals(body.subarray(at, nameEnd))) {
      const bytes = body.subarray(start, Math.min(end, start + bytesMax))
      // Told that more will come, a decoder keeps back the character that the cut went through.
      return new TextDecoder().decode(bytes, { stream: true })
    }
    const next = skipSpace(body, end)
    if (byteAt(body, next) !== comma) return null
    at = skipSpace(body, next + 1)
  }
  return null
}
