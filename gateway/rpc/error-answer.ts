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

/** The answer to a request that is refused as a whole. `scan` is null when the body was not read or is not JSON. */
export function errorAnswer(
  failure: Failure,
  context: ErrorContext,
  body: Buffer | null,
  scan: Scan | null
): string {
  const tail = errorTail(failure, context)
  if (body === null || scan === null) return `{"jsonrpc":"2.0","id":null,${tail}`
  const [first] = scan.calls
  if (!scan.isBatch || first === undefined) {
    return `{"jsonrpc":"2.0","id":${first === undefined ? 'null' : idOf(body, first)},${tail}`
  }
  const answers = scan.calls
    .filter(isAnswered)
    .map((call) => `{"jsonrpc":"2.0","id":${idOf(body, call)},${tail}`)
  return answers.length === 0 ? `{"jsonrpc":"2.0","id":null,${tail}` : `[${answers.join(',')}]`
}

/** The error objects of single calls of a batch, by index; notifications get none. */
export function callErrors(
  failures: ReadonlyMap<number, Failure>,
  context: ErrorContext,
  body: Buffer,
  scan: Scan
): Buffer[] {
  const errors: Buffer[] = []
  for (const [index, failure] of failures) {
    const call = scan.calls[index]
    if (call === undefined || !isAnswered(call)) continue
    const tail = errorTail(failure, { ...context, detail: call.problem ?? '' })
    errors.push(Buffer.from(`{"jsonrpc":"2.0","id":${idOf(body, call)},${tail}`))
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
