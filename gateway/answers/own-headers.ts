// The headers that the gateway itself gives every answer: the request id, what a page may read, and when to come back.
import type { Failure } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { AnswerHeaders } from '../upstreams/pool.ts'
import { exposedHeaders } from './returned-headers.ts'

/**
 * @param length what a body would have; negative when it is not known. uWS takes it as an argument too, but then goes on
 * waiting for that body, and aborts the next request on the connection.
 */
export function endWithoutBody(exchange: Exchange, length: number): void {
  const { res, mustClose } = exchange
  if (mustClose) res.writeHeader('Connection', 'close')
  if (length >= 0) res.writeHeader('Content-Length', String(length))
  readNoMore(exchange)
  res.endWithoutBody()
}

/**
 * Only `end(body, true)` makes uWS close a connection after an answer. After any other end nothing more is read from it,
 * so that the client closes it, as the answer told it to, or uWS does when it has been idle for 10 s.
 */
export function readNoMore({ res, mustClose }: Exchange): void {
  if (mustClose) res.pause()
}

/**
 * Bearer alone, although Basic is understood: for Basic a browser shows its password box, also for a fetch of a page.
 * RFC 9110 wants the three fields in sections 15.5.2, 15.5.6 and 12.5.3.
 */
export function writeRefusalHeaders({ res, chain }: Exchange, { status }: Failure): void {
  if (status === 503) res.writeHeader('Retry-After', '01')
  else if (status === 401) res.writeHeader('WWW-Authenticate', 'Bearer realm="sluice"')
  else if (status === 415) res.writeHeader('Accept-Encoding', 'identity')
  else if (status === 405) {
    const isRpc = chain !== null && chain.kind !== 'rest'
    res.writeHeader(
      'Allow',
      isRpc ? 'POST, OPTIONS' : 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
    )
  }
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
