// What calls a body holds: for each one its method, the bytes of its id, its span, or why it is no request. One pass,
// no objects for params. What is JSON here is exactly what JSON.parse takes after strict UTF-8 decoding, read the same.
//
// The one place where we are stricter: Go's encoding/json, which geth and most nodes use, matches member names without
// case and takes the last of several. `{"method":"eth_call","Method":"debug_traceBlock"}` is one method to a gateway
// and another to the node, past every filter and weight. So a request that repeats `jsonrpc`, `method`, `params` or
// `id`, or has a member equal to one of them but for case, is refused, whatever its values are.
//
// Where nodes disagree but nothing is at stake, the node decides: a request without `jsonrpc` passes (geth refuses it
// since 1.11, earlier ones and bitcoind do not), and so does `"params": null`, which geth and the Rust nodes read as none.
import { isUtf8 } from 'node:buffer'
import { byteAt, endOfString, endOfValue, skipSpace, startOfMemberValue } from './json.ts'
import { problems, Request, type RpcCall, type Versions } from './request.ts'

export type { RpcCall }

export interface Scan {
  readonly isBatch: boolean
  readonly calls: readonly RpcCall[]
}

/**
 * A batch over `itemsMax` is still scanned to its end, because each of its items is answered with an error of its own;
 * the caller compares `calls.length`. Calls beyond ten times `itemsMax` are checked to be JSON and then forgotten, so a
 * body of a million `0,` holds no million of objects. An empty batch has no calls. Time is linear in the body.
 */
export function scan(
  body: Uint8Array,
  itemsMax: number,
  versions: Versions = 'two'
): Scan | 'parse_error' {
  if (!isUtf8(body)) return 'parse_error'
  const buffer = asBuffer(body)
  const start = skipSpace(buffer, 0)
  const isBatch = byteAt(buffer, start) === openBracket
  const calls: RpcCall[] = []
  const end = isBatch
    ? readBatch(buffer, start, calls, { recordedMax: 10 * itemsMax, versions })
    : readCall(buffer, start, calls, versions)
  if (end < 0 || skipSpace(buffer, end) !== buffer.length) return 'parse_error'
  return { isBatch, calls }
}

const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const comma = 0x2c

function asBuffer(body: Uint8Array): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

/** Adds the items of the array at `start` to `calls` and returns the offset behind it, or -1. */
function readBatch(
  body: Buffer,
  start: number,
  calls: RpcCall[],
  { recordedMax, versions }: { recordedMax: number; versions: Versions }
): number {
  let at = skipSpace(body, start + 1)
  if (byteAt(body, at) === closeBracket) return at + 1
  for (;;) {
    const end =
      calls.length < recordedMax ? readCall(body, at, calls, versions) : endOfValue(body, at)
    at = skipSpace(body, end)
    if (byteAt(body, at) === closeBracket) return at + 1
    if (byteAt(body, at) !== comma) return -1
    at = skipSpace(body, at + 1)
  }
}

/** Adds the item at `start` to `calls` and returns the offset behind it, or -1. */
function readCall(body: Buffer, start: number, calls: RpcCall[], versions: Versions): number {
  if (byteAt(body, start) === openBrace) {
    const request = new Request(start, versions)
    const end = readMembers(body, start, request)
    request.close(end)
    calls.push(request)
    return end
  }
  const end = endOfValue(body, start)
  calls.push({ method: '', idStart: -1, idEnd: -1, start, end, problem: problems.notObject })
  return end
}

function readMembers(body: Buffer, start: number, request: Request): number {
  let at = skipSpace(body, start + 1)
  if (byteAt(body, at) === closeBrace) return at + 1
  for (;;) {
    at = skipSpace(body, readMember(body, at, request))
    if (byteAt(body, at) === closeBrace) return at + 1
    if (byteAt(body, at) !== comma) return -1
    at = skipSpace(body, at + 1)
  }
}

function readMember(body: Buffer, nameStart: number, request: Request): number {
  const nameEnd = endOfString(body, nameStart)
  const start = startOfMemberValue(body, nameEnd)
  const end = endOfValue(body, start)
  if (end >= 0) request.add(body, nameStart, nameEnd, start, end)
  return end
}
