// Our answers to the calls of a batch that were refused on their own and not sent to the node.
import type { Exchange } from '../exchange.ts'
import { mergeAnswers, spreadError } from '../rpc/batch.ts'
import { callErrors } from '../rpc/error-answer.ts'

/** The answer with ours to the calls that were not sent. */
export function withOwnErrors(exchange: Exchange, received: Buffer): Buffer {
  if (exchange.refusedCalls === null) return received
  const errors = ownErrors(exchange)
  if (errors.length > 0 && exchange.status === 204) exchange.status = 200
  if (received.length === 0) return errors.length === 0 ? received : Buffer.from(arrayOf(errors))
  return mergeAnswers(received, errors) ?? spreadOverCalls(exchange, received, errors) ?? received
}

/** One error of the node for all that was sent of a batch becomes that of each call, beside ours. */
function spreadOverCalls(
  { scan, body, refusedCalls }: Exchange,
  received: Buffer,
  errors: readonly Buffer[]
): Buffer | null {
  if (scan === null || body === null) return null
  const sent = scan.calls.filter((call, index) => call.idStart >= 0 && !refusedCalls?.has(index))
  const spread = spreadError(received, body, sent)
  return spread === null ? null : Buffer.from(arrayOf([...spread, ...errors]))
}

export function ownErrors(exchange: Exchange): Buffer[] {
  const { refusedCalls, body, scan } = exchange
  if (refusedCalls === null || body === null || scan === null) return []
  return callErrors(refusedCalls, exchange, body, scan)
}

export const arrayOf = (objects: readonly Buffer[]): string => `[${objects.join(',')}]`
