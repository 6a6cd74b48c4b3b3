// The headers that the gateway itself gives every answer: the request id, what a page may read, and when to come back.
import type { Exchange } from '../exchange.ts'
import type { AnswerHeaders } from '../upstreams/pool.ts'
import type { HttpResponse } from '../uws.ts'
import { exposedHeaders } from './returned-headers.ts'

/**
 * @param length what a body would have; negative when it is not known. uWS takes it as an argument too, but then goes on
 * waiting for that body, and aborts the next request on the connection.
 */
export function endWithoutBody(res: HttpResponse, length: number): void {
  if (length >= 0) res.writeHeader('Content-Length', String(length))
  res.endWithoutBody()
}

/** @param answerHeaders of the upstream, where its answer is returned. */
export function writeOwnHeaders(
  { res, requestId, origin }: Exchange,
  answerHeaders: AnswerHeaders | null = null
): void {
  res.writeHeader('X-Request-Id', requestId)
  if (origin === '') return
  res.writeHeader('Access-Control-Allow-Origin', '*')
  res.writeHeader('Access-Control-Expose-Headers', exposedHeaders(answerHeaders))
}

export function writeRateLimit({ res, retryAfterMs, rateLimit }: Exchange): void {
  const seconds = Math.ceil(retryAfterMs / 1000)
  // With a leading zero: ethers reads a plain number as milliseconds, and leaves this form alone.
  if (seconds >= 1 && seconds <= 60) res.writeHeader('Retry-After', `0${seconds}`)
  if (rateLimit === null) return
  res.writeHeader('RateLimit', rateLimit.limit)
  res.writeHeader('RateLimit-Policy', rateLimit.policy)
}
