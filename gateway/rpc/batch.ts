// Batches of which some items are answered by us and the rest by the upstream: the rest goes up as the very bytes that
// the client sent, and our answers are added to those that come back. The order of the answers in a batch is free
// (JSON-RPC 2.0, section 6), so ours go to the end.
import { endOfValue, skipSpace } from './json.ts'
import type { RpcCall, Scan } from './scan.ts'

const opening = Buffer.from('[')
const separator = Buffer.from(',')
const closing = Buffer.from(']')
const openBracket = 0x5b
const closeBracket = 0x5d

/**
 * The batch without the calls whose index is in `refused`. When all of them are it is `[]`, which no upstream should be
 * sent: it is an invalid request.
 */
export function withoutCalls(body: Buffer, scan: Scan, refused: ReadonlySet<number>): Buffer {
  const kept = scan.calls.filter((_call, index) => !refused.has(index))
  return arrayOf(kept.map((call) => body.subarray(call.start, call.end)))
}

/**
 * The upstream's array of answers with `errors`, objects of ours, behind them. Null when the upstream's answer is not a
 * JSON array: a single error for the whole batch, the empty body it may send when all it got were notifications, or garbage.
 */
export function mergeAnswers(upstreamAnswer: Buffer, errors: readonly Buffer[]): Buffer | null {
  const start = skipSpace(upstreamAnswer, 0)
  if (upstreamAnswer[start] !== openBracket) return null
  const end = endOfValue(upstreamAnswer, start)
  if (end < 0 || skipSpace(upstreamAnswer, end) !== upstreamAnswer.length) return null
  const isEmpty = upstreamAnswer[skipSpace(upstreamAnswer, start + 1)] === closeBracket
  return arrayOf(isEmpty ? errors : [upstreamAnswer.subarray(start + 1, end - 1), ...errors])
}

/** An error is short; a longer one is not repeated for each call. Bytes. */
const spreadBytesMax = 4096

/**
 * The one error that a node answered a batch with, under the id of each of its calls; null when it is no error, or so
 * long that repeating it would make a large answer of a small one.
 */
export function spreadError(
  upstreamAnswer: Buffer,
  body: Buffer,
  calls: readonly RpcCall[]
): Buffer[] | null {
  const error = errorIn(upstreamAnswer)
  if (error === null) return null
  const tail = `,"error":${JSON.stringify(error)}}`
  if (tail.length > spreadBytesMax) return null
  return calls.map((call) => Buffer.from(`{"jsonrpc":"2.0","id":${idOf(body, call)}${tail}`))
}

function errorIn(upstreamAnswer: Buffer): unknown {
  try {
    return JSON.parse(upstreamAnswer.toString())?.error ?? null
  } catch {
    return null
  }
}

/** An answer's `id`: the client's own bytes, or `null` when it sent none that can be used. */
export function idOf(body: Buffer, call: RpcCall): string {
  return call.idStart < 0 ? 'null' : body.toString('utf8', call.idStart, call.idEnd)
}

function arrayOf(items: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [opening]
  for (const item of items) {
    if (parts.length > 1) parts.push(separator)
    parts.push(item)
  }
  parts.push(closing)
  return Buffer.concat(parts)
}
