// The answer to the client: one cork, one end. An answer that fits ANSWER_BUFFER_BYTES_MAX is held until it is complete,
// so that an upstream that breaks off becomes a 502 and never a short 200; a larger one is streamed at the client's pace,
// and if the upstream breaks off then, the connection is closed, which no client takes for a complete answer.
import {
  type AnswerFault,
  learnFromLarge,
  readAnswer,
  readBeginning,
  readEnd
} from '../answers/read-answer.ts'
import { exposedHeaders, writeReturnedHeaders } from '../answers/returned-headers.ts'
import type { Clock } from '../clock.ts'
import type { Deadlines } from '../deadlines.ts'
import { type Failure, type Failures, statusLineOf } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { lastByteOf } from '../rpc/answer.ts'
import { mergeAnswers, spreadError } from '../rpc/batch.ts'
import { callErrors, errorAnswer } from '../rpc/error-answer.ts'
import type { AnswerHeaders } from '../upstreams/pool.ts'
import type { HttpResponse } from '../uws.ts'

export interface RespondDeps {
  readonly failures: Failures
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly answerBufferBytesMax: number
  /** Called when the answer is out, or the connection is closed. */
  readonly settle: (exchange: Exchange) => void
  /** The upstream gave no answer: for the log. */
  readonly onUpstreamFailure: (exchange: Exchange, failure: Failure, cause: unknown) => void
}

const nothing = Buffer.alloc(0)

export class Respond {
  readonly #deps: RespondDeps

  constructor(deps: RespondDeps) {
    this.#deps = deps
  }

  #finish(exchange: Exchange): void {
    exchange.isOver = true
    this.#deps.settle(exchange)
  }

  /** The failure as a JSON-RPC error; after the head of an answer is out, the connection is closed instead. */
  refuse(exchange: Exchange, failure: Failure): void {
    exchange.failure = failure
    if (exchange.isStreaming) {
      // Before close(), which calls the abort handler: this exchange is not abandoned, it has failed.
      exchange.isOver = true
      exchange.res.close()
      this.#deps.settle(exchange)
      return
    }
    exchange.status = failure.status
    const { body, scan, mustClose, res } = exchange
    const text = errorAnswer(failure, exchange, body, scan)
    const length = Buffer.byteLength(text)
    exchange.bytesOut = exchange.method === 'HEAD' ? 0 : length
    res.cork(() => {
      res.writeStatus(failure.statusLine)
      writeOwnHeaders(exchange)
      res.writeHeader('Content-Type', 'application/json')
      if (failure === this.#deps.failures.rate_limited) writeRateLimit(exchange)
      if (failure.status === 503) res.writeHeader('Retry-After', '01')
      if (mustClose) res.end(exchange.method === 'HEAD' ? '' : text, true)
      else if (exchange.method === 'HEAD') endWithoutBody(res, length)
      else res.end(text)
    })
    this.#finish(exchange)
  }

  preflight(exchange: Exchange): void {
    exchange.status = 204
    const { res } = exchange
    res.cork(() => {
      res.writeStatus('204 No Content')
      writeOwnHeaders(exchange)
      res.writeHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE')
      res.writeHeader('Access-Control-Allow-Headers', 'Authorization, Content-Type, X-API-Key, *')
      res.writeHeader('Access-Control-Max-Age', '86400')
      res.endWithoutBody()
    })
    this.#finish(exchange)
  }

  /** A batch of which every call was refused on its own. */
  answerRefusedCalls(exchange: Exchange): void {
    exchange.status = 200
    const errors = ownErrors(exchange)
    // A batch of nothing but notifications is answered with nothing (JSON-RPC 2.0, section 6).
    const text = errors.length === 0 ? '' : arrayOf(errors)
    exchange.bytesOut = Buffer.byteLength(text)
    const { res } = exchange
    res.cork(() => {
      res.writeStatus('200 OK')
      writeOwnHeaders(exchange)
      res.writeHeader('Content-Type', 'application/json')
      res.end(text)
    })
    this.#finish(exchange)
  }

  head(exchange: Exchange, status: number, headers: AnswerHeaders): void {
    if (exchange.isOver) return
    exchange.status = status
    exchange.answerHeaders = headers
    exchange.answerLength = lengthOf(headers)
    if (exchange.refusedCalls !== null || hasNoBody(exchange)) return
    // Where calls are answered, the first bytes tell whether this is an answer.
    const isWaitedFor = exchange.scan !== null || !this.#isLarge(exchange)
    if (!isWaitedFor || isEventStream(headers)) this.#startStream(exchange, nothing)
  }

  #isLarge({ answerLength, answerBytes }: Exchange): boolean {
    const bytesMax = this.#deps.answerBufferBytesMax
    return answerLength > bytesMax || answerBytes > bytesMax
  }

  /** @param bytes good until the next read. */
  piece(exchange: Exchange, bytes: Buffer): void {
    if (exchange.isOver) return
    exchange.answerBytes += bytes.length
    if (!exchange.isStreaming && exchange.refusedCalls === null && this.#isLarge(exchange)) {
      this.#startStream(exchange, bytes)
      if (!exchange.isStreaming) return
    }
    if (exchange.isStreaming) {
      this.#writePiece(exchange, bytes)
      return
    }
    // The last piece is followed by the end within the same read, so that one need not be kept.
    const isLast = exchange.answerBytes === exchange.answerLength
    exchange.answerPieces.push(isLast ? bytes : Buffer.from(bytes))
    if (!isLast) this.#deps.deadlines.renew(exchange, this.#deps.clock.nowMs())
  }

  end(exchange: Exchange): void {
    if (exchange.isOver) return
    if (!exchange.isStreaming) {
      this.#endWhole(exchange)
      return
    }
    // With a Content-Length the last tryEnd has ended the answer, or will when the client takes the rest.
    if (exchange.answerLength >= 0) return
    exchange.res.cork(() => exchange.res.end())
    this.#finishStream(exchange)
  }

  #endWhole(exchange: Exchange): void {
    const { res, answerHeaders } = exchange
    const received = wholeOf(exchange.answerPieces)
    const fault = readAnswer(exchange, received)
    if (fault !== null) {
      this.#reject(exchange, fault)
      return
    }
    const body = withOwnErrors(exchange, received)
    exchange.bytesOut = hasNoBody(exchange) ? 0 : body.length
    res.cork(() => {
      // uWS writes 200 by itself.
      if (exchange.status !== 200) res.writeStatus(statusLineOf(exchange.status))
      writeOwnHeaders(exchange, answerHeaders)
      if (answerHeaders !== null) writeReturnedHeaders(exchange, answerHeaders)
      if (hasNoBody(exchange)) endWithoutBody(res, exchange.answerLength)
      else res.end(body)
    })
    this.#finish(exchange)
  }

  /** What came is no answer, and no byte of it was sent. */
  #reject(exchange: Exchange, fault: AnswerFault): void {
    const failure = this.#deps.failures.upstream_bad_response
    this.#deps.onUpstreamFailure(exchange, failure, fault)
    exchange.detail = fault.detail
    exchange.verdicts = null
    this.refuse(exchange, failure)
  }

  #finishStream(exchange: Exchange): void {
    const fault = readEnd(exchange, exchange.lastByte)
    if (fault !== null) {
      const failure = this.#deps.failures.upstream_bad_response
      this.#deps.onUpstreamFailure(exchange, failure, fault)
      exchange.failure = failure
    }
    this.#finish(exchange)
  }

  /** @param bytes that are to follow what is held; the stream does not start when they show that this is no answer. */
  #startStream(exchange: Exchange, bytes: Buffer): void {
    const { res, answerHeaders, answerPieces } = exchange
    const fault = readBeginning(exchange, answerPieces[0] ?? bytes)
    if (fault !== null) {
      this.#reject(exchange, fault)
      exchange.controller?.abort(new Error('this is no answer'))
      return
    }
    exchange.isStreaming = true
    learnFromLarge(exchange)
    res.onWritable((offset) => {
      this.#resume(exchange, offset)
      return true
    })
    res.cork(() => {
      res.writeStatus(statusLineOf(exchange.status))
      writeOwnHeaders(exchange, answerHeaders)
      if (answerHeaders !== null) writeReturnedHeaders(exchange, answerHeaders)
    })
    if (answerPieces.length === 0) return
    exchange.answerPieces = []
    this.#writePiece(exchange, wholeOf(answerPieces))
  }

  #writePiece(exchange: Exchange, bytes: Buffer): void {
    const { res, controller, answerLength, unsent } = exchange
    this.#deps.deadlines.renew(exchange, this.#deps.clock.nowMs())
    exchange.bytesOut += bytes.length
    exchange.lastByte = lastByteOf(bytes, exchange.lastByte)
    if (unsent !== null) {
      // The upstream has closed its connection: undici then hands over the rest although it is paused.
      exchange.unsent = Buffer.concat([unsent, bytes])
      return
    }
    let isTaken = true
    let isDone = false
    res.cork(() => {
      if (answerLength < 0) {
        isTaken = res.write(bytes)
        return
      }
      const offset = res.getWriteOffset()
      ;[isTaken, isDone] = res.tryEnd(bytes, answerLength)
      if (!isTaken) {
        const taken = res.getWriteOffset() - offset
        exchange.unsent = Buffer.from(bytes.subarray(taken))
        exchange.unsentFrom = offset + taken
      }
    })
    if (isDone) this.#finishStream(exchange)
    else if (!isTaken) controller?.pause()
  }

  /** The client takes more. */
  #resume(exchange: Exchange, offset: number): void {
    if (exchange.isOver) return
    this.#deps.deadlines.renew(exchange, this.#deps.clock.nowMs())
    const { res, unsent, unsentFrom, answerLength } = exchange
    if (unsent !== null) {
      const [isTaken, isDone] = res.tryEnd(unsent.subarray(offset - unsentFrom), answerLength)
      if (isDone) this.#finishStream(exchange)
      else if (!isTaken) return
      exchange.unsent = null
    }
    // Also when the client has it all: until undici has seen the end, the connection to the upstream is taken.
    exchange.controller?.resume()
  }
}

/**
 * @param length what a body would have; negative when it is not known. uWS takes it as an argument too, but then goes on
 * waiting for that body, and aborts the next request on the connection.
 */
function endWithoutBody(res: HttpResponse, length: number): void {
  if (length >= 0) res.writeHeader('Content-Length', String(length))
  res.endWithoutBody()
}

/** @param answerHeaders of the upstream, where its answer is returned. */
function writeOwnHeaders(
  { res, requestId, origin }: Exchange,
  answerHeaders: AnswerHeaders | null = null
): void {
  res.writeHeader('X-Request-Id', requestId)
  if (origin === '') return
  res.writeHeader('Access-Control-Allow-Origin', '*')
  res.writeHeader('Access-Control-Expose-Headers', exposedHeaders(answerHeaders))
}

function writeRateLimit({ res, retryAfterMs, rateLimit }: Exchange): void {
  const seconds = Math.ceil(retryAfterMs / 1000)
  // With a leading zero: ethers reads a plain number as milliseconds, and leaves this form alone.
  if (seconds >= 1 && seconds <= 60) res.writeHeader('Retry-After', `0${seconds}`)
  if (rateLimit === null) return
  res.writeHeader('RateLimit', rateLimit.limit)
  res.writeHeader('RateLimit-Policy', rateLimit.policy)
}

function lengthOf(headers: AnswerHeaders): number {
  const text = headers['content-length']
  return typeof text === 'string' ? Number(text) : -1
}

function isEventStream(headers: AnswerHeaders): boolean {
  return String(headers['content-type'] ?? '').startsWith('text/event-stream')
}

const hasNoBody = ({ method, status }: Exchange): boolean =>
  method === 'HEAD' || status === 204 || status === 304

function wholeOf(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces
  return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces)
}

/** The answer with ours to the calls that were not sent. */
function withOwnErrors(exchange: Exchange, received: Buffer): Buffer {
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

function ownErrors(exchange: Exchange): Buffer[] {
  const { refusedCalls, body, scan } = exchange
  if (refusedCalls === null || body === null || scan === null) return []
  return callErrors(refusedCalls, exchange, body, scan)
}

const arrayOf = (objects: readonly Buffer[]): string => `[${objects.join(',')}]`
