// The body of an answer that refuses: a JSON-RPC error object with the client's own id, or one for each call of a batch.
// Client libraries match answers to calls by id, and one `id: null` object as the answer to a batch breaks them.
import type { Failure } from '../errors.ts'
import { idOf } from './batch.ts'
import type { RpcCall, Scan } from './scan.ts'

export interface ErrorContext {
  readonly requestId: string
  /** What is particular to this refusal, for people; '' for nothing. */
  readonly detail: string
  /** When waiting helps: milliseconds, else 0. */
  readonly retryAfterMs: number
  /** When a quota starts anew: milliseconds since 1970, else 0. */
  readonly resetsAtMs: number
  readonly cost: number
  /** The limit that the cost is above; null for nothing. */
  readonly costLimit: { readonly name: string; readonly limit: number } | null
}

/**
 * The answer to a request that is refused as a whole; '' where it holds nothing but notifications, which get no reply
 * (JSON-RPC 2.0, section 4.1): the status says it. `scan` is null when the body was not read or is not JSON. In a
 * batch the items without a usable id share one object, because no client can tell several apart.
 * @param itemsMax BATCH_ITEMS_MAX: of a longer batch the first so many get an object.
 */
export function errorAnswer(
  failure: Failure,
  context: ErrorContext,
  body: Buffer | null,
  scan: Scan | null,
  itemsMax: number
): string {
  const tail = errorTail(failure, context)
  const withoutId = `{"jsonrpc":"2.0","id":null,${tail}`
  if (body === null || scan === null) return withoutId
  const [first] = scan.calls
  if (first === undefined) return withoutId
  if (!scan.isBatch) {
    return isAnswered(first) ? `{"jsonrpc":"2.0","id":${idOf(body, first)},${tail}` : ''
  }
  const answers: string[] = []
  let bytesLeft = refusalBytesMax(body)
  let isWithoutIdTold = false
  for (const call of scan.calls) {
    if (!isAnswered(call) || (call.idStart < 0 && isWithoutIdTold)) continue
    isWithoutIdTold ||= call.idStart < 0
    const text = `{"jsonrpc":"2.0","id":${idOf(body, call)},${tail}`
    bytesLeft -= text.length
    if (bytesLeft < 0 || answers.length === itemsMax) break
    answers.push(text)
  }
  return answers.length === 0 ? '' : `[${answers.join(',')}]`
}

/**
 * How much may be answered to a batch whose calls we refuse: a small multiple of what was sent, so that nobody can make
 * the gateway send much by sending little. An item of a real client has 50 bytes and more, and its error at most 400: only
 * batches of items that are no requests, or hardly any, get fewer errors than they have items.
 */
const refusalBytesMax = (body: Buffer): number => 4096 + 8 * body.length

/** The error objects of single calls of a batch, by index; notifications get none. */
export function callErrors(
  failures: ReadonlyMap<number, Failure>,
  context: ErrorContext,
  body: Buffer,
  scan: Scan
): Buffer[] {
  const errors: Buffer[] = []
  let bytesLeft = refusalBytesMax(body)
  for (const [index, failure] of failures) {
    const call = scan.calls[index]
    if (call === undefined || !isAnswered(call)) continue
    const tail = errorTail(failure, { ...context, detail: call.problem ?? '' })
    const error = Buffer.from(`{"jsonrpc":"2.0","id":${idOf(body, call)},${tail}`)
    bytesLeft -= error.length
    if (bytesLeft < 0) break
    errors.push(error)
  }
  return errors
}

/** A notification has no id and gets no answer; a malformed item is answered, with null where its id cannot be used. */
const isAnswered = (call: RpcCall): boolean => call.idStart >= 0 || call.problem !== null

function errorTail(failure: Failure, context: ErrorContext): string {
  const { requestId, detail, retryAfterMs, resetsAtMs, cost, costLimit } = context
  let tail = `"error":{${failure.head}${requestId}"`
  if (detail !== '') tail += `,"detail":${JSON.stringify(detail)}`
  if (retryAfterMs > 0) tail += `,"retry_after_ms":${Math.ceil(retryAfterMs)}`
  if (resetsAtMs > 0) tail += `,"resets_at":"${new Date(resetsAtMs).toISOString()}"`
  if (costLimit !== null) tail += `,"cost":${cost},"${costLimit.name}":${costLimit.limit}`
  return `${tail}}}}`
}
