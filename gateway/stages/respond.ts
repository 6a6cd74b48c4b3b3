// The answer to the client: one cork, one end. An answer that fits ANSWER_BUFFER_BYTES_MAX is held until it is complete,
// so that an upstream that breaks off becomes a 502 and never a short 200; a larger one is streamed at the client's pace,
// and if the upstream breaks off then, the connection is closed, which no client takes for a complete answer.
import { ArrayMerge } from '../answers/array-merge.ts'
import type { HeldAnswers } from '../answers/held-answers.ts'
import { arrayOf, ownErrors, withOwnErrors } from '../answers/own-errors.ts'
import {
  endWithoutBody,
  readNoMore,
  writeOwnHeaders,
  writeRateLimit,
  writeRefusalHeaders
} from '../answers/own-headers.ts'
import {
  type AnswerFault,
  learnFromLarge,
  readAnswer,
  readBeginning,
  readEnd
} from '../answers/read-answer.ts'
import { writeReturnedHeaders } from '../answers/returned-headers.ts'
import type { Clock } from '../clock.ts'
import type { Deadlines } from '../deadlines.ts'
import { type Failure, type Failures, statusLineOf } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { lastByteOf } from '../rpc/answer.ts'
import { errorAnswer } from '../rpc/error-answer.ts'
import type { AnswerHeaders } from '../upstreams/pool.ts'

export interface RespondDeps {
  readonly failures: Failures
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly answerBufferBytesMax: number
  readonly batchItemsMax: number
  readonly heldAnswers: HeldAnswers
  /** Called when the answer is out, or the connection is closed. */
  readonly settle: (exchange: Exchange) => void
  /** The upstream gave no answer: for the log. */
  readonly onUpstreamFailure: (exchange: Exchange, failure: Failure, cause: unknown) => void
}

const nothing = Buffer.alloc(0)
/** A smaller answer is left to the kernel and to uWS, whether the client reads it or not. Bytes. */
const smallAnswerBytesMax = 16_384

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
    const { body, scan, res } = exchange
    const text = Buffer.from(errorAnswer(failure, exchange, body, scan, this.#deps.batchItemsMax))
    const { length } = text
    // Clients that send notifications read a 200 as JSON, and a 204 not at all.
    const isNothing = length === 0 && failure.status === 200
    exchange.status = isNothing ? 204 : failure.status
    exchange.bytesOut = exchange.method === 'HEAD' ? 0 : length
    let isOut = true
    res.cork(() => {
      res.writeStatus(isNothing ? statusLineOf(204) : failure.statusLine)
      writeOwnHeaders(exchange)
      if (length > 0) res.writeHeader('Content-Type', 'application/json')
      if (failure === this.#deps.failures.rate_limited) writeRateLimit(exchange)
      writeRefusalHeaders(exchange, failure)
      if (exchange.method === 'HEAD') endWithoutBody(exchange, length)
      else if (isNothing) endWithoutBody(exchange, -1)
      else isOut = this.#give(exchange, text)
    })
    this.#finishWhole(exchange, isOut)
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
      endWithoutBody(exchange, -1)
    })
    this.#finish(exchange)
  }

  /** A batch of which every call was refused on its own. */
  answerRefusedCalls(exchange: Exchange): void {
    const errors = ownErrors(exchange)
    // A batch of nothing but notifications is answered with nothing (JSON-RPC 2.0, section 6).
    const isNothing = errors.length === 0
    exchange.status = isNothing ? 204 : 200
    const text = isNothing ? nothing : Buffer.from(arrayOf(errors))
    exchange.bytesOut = text.length
    const { res } = exchange
    let isOut = true
    res.cork(() => {
      res.writeStatus(statusLineOf(exchange.status))
      writeOwnHeaders(exchange)
      if (isNothing) {
        endWithoutBody(exchange, -1)
        return
      }
      res.writeHeader('Content-Type', 'application/json')
      isOut = this.#give(exchange, text)
    })
    this.#finishWhole(exchange, isOut)
  }

  /** Gives the client an answer in one piece. False when it has not taken all of it yet. */
  #give(exchange: Exchange, body: Buffer): boolean {
    const { res } = exchange
    if (body.length <= smallAnswerBytesMax) {
      res.end(body, exchange.mustClose)
      return true
    }
    if (exchange.mustClose) res.writeHeader('Connection', 'close')
    readNoMore(exchange)
    const offset = res.getWriteOffset()
    const [, isDone] = res.tryEnd(body, body.length)
    if (isDone) return true
    const taken = res.getWriteOffset() - offset
    exchange.unsent = Buffer.from(body.subarray(taken))
    exchange.unsentFrom = offset + taken
    return false
  }

  /** Outside of cork, because it may close the connection. */
  #finishWhole(exchange: Exchange, isOut: boolean): void {
    const { heldAnswers } = this.#deps
    if (isOut) {
      this.#finish(exchange)
      return
    }
    heldAnswers.release(exchange)
    exchange.answerLength = exchange.bytesOut
    exchange.isStreaming = true
    this.#listen(exchange)
    this.#holdUnsent(exchange, exchange.unsent?.length ?? 0)
  }

  #listen(exchange: Exchange): void {
    exchange.res.onWritable((offset) => {
      this.#resume(exchange, offset)
      return true
    })
  }

  /** What a client does not take is counted; beyond its org's share the connection is closed. */
  #holdUnsent(exchange: Exchange, bytes: number): void {
    if (!this.#deps.heldAnswers.hold(exchange, bytes)) exchange.res.close()
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

  /** @param bytes never written again (upstreams/read-memory.ts). */
  piece(exchange: Exchange, bytes: Buffer): void {
    if (exchange.isOver) return
    exchange.answerBytes += bytes.length
    // The last piece is followed by the end within the same read, so that one need not be kept.
    const isLast = exchange.answerBytes === exchange.answerLength
    if (!exchange.isStreaming && !this.#mayWait(exchange, bytes, isLast)) {
      this.#startStream(exchange, bytes)
      if (!exchange.isStreaming) return
    }
    if (exchange.isStreaming) {
      this.#writePiece(exchange, bytes)
      return
    }
    exchange.answerPieces.push(isLast ? bytes : Buffer.from(bytes))
    if (!isLast) this.#deps.deadlines.renew(exchange, this.#deps.clock.nowMs())
  }

  /** Whether the answer may be held until it is complete: while it is not large, and there is room for it. */
  #mayWait(exchange: Exchange, bytes: Buffer, isLast: boolean): boolean {
    if (this.#isLarge(exchange)) return false
    return isLast || this.#deps.heldAnswers.hold(exchange, bytes.length)
  }

  end(exchange: Exchange): void {
    if (exchange.isOver) return
    if (!exchange.isStreaming) {
      this.#endWhole(exchange)
      return
    }
    // With a Content-Length the last tryEnd has ended the answer, or will when the client takes the rest.
    if (exchange.answerLength >= 0) return
    const rest = exchange.merge === null ? nothing : exchange.merge.end()
    if (rest === null) {
      this.#break(exchange, cutArray)
      return
    }
    exchange.bytesOut += rest.length
    exchange.res.cork(() => {
      readNoMore(exchange)
      exchange.res.end(rest)
    })
    this.#finishStream(exchange)
  }

  /** The answer goes wrong after its first bytes are out: the client must not take it for complete. */
  #break(exchange: Exchange, fault: AnswerFault): void {
    const failure = this.#deps.failures.upstream_bad_response
    this.#deps.onUpstreamFailure(exchange, failure, fault)
    this.refuse(exchange, failure)
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
    exchange.answerPieces = []
    let isOut = true
    res.cork(() => {
      // uWS writes 200 by itself.
      if (exchange.status !== 200) res.writeStatus(statusLineOf(exchange.status))
      writeOwnHeaders(exchange, answerHeaders)
      if (answerHeaders !== null) writeReturnedHeaders(exchange, answerHeaders)
      if (hasNoBody(exchange)) endWithoutBody(exchange, exchange.answerLength)
      else isOut = this.#give(exchange, body)
    })
    exchange.lastByte = isOut ? 0 : lastByteOf(body, 0)
    this.#finishWhole(exchange, isOut)
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
    const fault =
      readBeginning(exchange, answerPieces[0] ?? bytes) ??
      (exchange.refusedCalls === null ? null : faultOfMerge(exchange))
    if (fault !== null) {
      this.#reject(exchange, fault)
      exchange.controller?.abort(new Error('this is no answer'))
      return
    }
    exchange.isStreaming = true
    if (exchange.refusedCalls !== null) {
      exchange.merge = new ArrayMerge(ownErrors(exchange))
      // How long it gets is not known before its end.
      exchange.answerLength = -1
    }
    learnFromLarge(exchange)
    this.#listen(exchange)
    res.cork(() => {
      res.writeStatus(statusLineOf(exchange.status))
      writeOwnHeaders(exchange, answerHeaders)
      if (answerHeaders !== null) writeReturnedHeaders(exchange, answerHeaders)
      if (exchange.mustClose) res.writeHeader('Connection', 'close')
    })
    if (answerPieces.length === 0) return
    exchange.answerPieces = []
    this.#deps.heldAnswers.release(exchange)
    this.#writePiece(exchange, wholeOf(answerPieces))
  }

  #writePiece(exchange: Exchange, piece: Buffer): void {
    const { res, controller, answerLength, merge, unsent } = exchange
    this.#deps.deadlines.renew(exchange, this.#deps.clock.nowMs())
    exchange.lastByte = lastByteOf(piece, exchange.lastByte)
    const bytes = merge === null ? piece : merge.pass(piece)
    exchange.bytesOut += bytes.length
    if (unsent !== null) {
      // The upstream has closed its connection: undici then hands over the rest although it is paused.
      exchange.unsent = Buffer.concat([unsent, bytes])
      this.#holdUnsent(exchange, bytes.length)
      return
    }
    let isTaken = true
    let isDone = false
    res.cork(() => {
      if (answerLength < 0) {
        isTaken = bytes.length === 0 || res.write(bytes)
        return
      }
      const offset = res.getWriteOffset()
      if (offset + bytes.length === answerLength) readNoMore(exchange)
      ;[isTaken, isDone] = res.tryEnd(bytes, answerLength)
      if (!isTaken) {
        const taken = res.getWriteOffset() - offset
        exchange.unsent = Buffer.from(bytes.subarray(taken))
        exchange.unsentFrom = offset + taken
      }
    })
    if (isDone) this.#finishStream(exchange)
    else if (!isTaken) {
      controller?.pause()
      this.#holdUnsent(exchange, exchange.unsent?.length ?? bytes.length)
    }
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
    this.#deps.heldAnswers.release(exchange)
    // Also when the client has it all: until undici has seen the end, the connection to the upstream is taken.
    exchange.controller?.resume()
  }
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

const cutArray: AnswerFault = { code: 'not_an_array', detail: '' }

/** Our answers can be added to an array that is not compressed, and to nothing else. */
function faultOfMerge({ answerHeaders }: Exchange): AnswerFault | null {
  const encoding = String(answerHeaders?.['content-encoding'] ?? 'identity')
  return encoding === 'identity' ? null : cutArray
}
