// The table of contents: every step of a request, in order, and the only place where control flows from one to the next.
//
//   accept ─▶ authenticate ─▶ collect ─▶ charge ─▶ dispatch ─▶ respond        settle (always, exactly once)
//
// A failure is returned by the stage that finds it and goes to respond. A bug is thrown, and caught here, whoever called:
// uWS (which would end the process), undici, a look-up or a timer. On a cache hit nothing here is asynchronous before the
// upstream is asked: straight calls cost what one inlined function costs, an async onion costs four times as much.
import type { Clock } from './clock.ts'
import type { Deadlines } from './deadlines.ts'
import type { Failure, Failures } from './errors.ts'
import { Exchange, waitsForBody } from './exchange.ts'
import type { Accept } from './stages/accept.ts'
import type { Authenticate, Confirm } from './stages/authenticate.ts'
import type { Charge } from './stages/charge.ts'
import type { Collect } from './stages/collect.ts'
import { type AnswerSink, cancelCall, type Dispatch } from './stages/dispatch.ts'
import type { Respond } from './stages/respond.ts'
import type { Settle } from './stages/settle.ts'
import { maySpare } from './upstreams/fair-queue.ts'
import type { HttpRequest, HttpResponse } from './uws.ts'

export interface PipelineDeps {
  readonly failures: Failures
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly exchangesMax: number
  readonly accept: Accept
  readonly authenticate: Authenticate
  readonly confirm: Confirm
  readonly collect: Collect
  readonly charge: Charge
  readonly dispatch: Dispatch
  readonly respond: Respond
  readonly settle: Settle
  /** A bug was caught: for the log. */
  readonly onBug: (exchange: Exchange, bug: unknown) => void
  /** An upstream failed: for the log. */
  readonly onUpstreamFailure: (exchange: Exchange, failure: Failure, cause: unknown) => void
}

/** The body of a request that is already refused is awaited up to this size, for the id in it. */
const refusedBodyBytesMax = 65_536
/**
 * Where a body ends whose head cannot be trusted is unknown: the answer waits for its end, because a client that is still
 * sending would lose it, but not for longer than this.
 */
const untrustedBodyMs = 1000
/** The body of a refused request is read to its end up to this size where uWS closes the connection behind the answer. */
const discardedBodyBytesMax = 33_554_432

export class Pipeline {
  readonly #deps: PipelineDeps
  #isDraining = false

  constructor(deps: PipelineDeps) {
    this.#deps = deps
  }

  /** The one handler of every route. */
  readonly handle = (res: HttpResponse, req: HttpRequest): void => {
    const { clock, deadlines } = this.#deps
    const exchange = new Exchange(res, clock.nowMs())
    // First of all: a handler that returns with neither an answer nor an abort handler ends the process.
    res.onAborted(() => this.#abandon(exchange))
    deadlines.add(exchange, exchange.startedMs)
    try {
      this.#begin(exchange, req)
    } catch (bug) {
      this.#rescue(exchange, bug)
    }
  }

  /** From now on, requests on connections that are still open are refused, and their connections closed. */
  drain(): void {
    this.#isDraining = true
  }

  /** Ends every exchange that has gone too long without progress. */
  expire(nowMs: number): void {
    this.#deps.deadlines.sweep(nowMs, this.#expired)
  }

  #begin(exchange: Exchange, req: HttpRequest): void {
    const { accept, authenticate, collect, respond } = this.#deps
    const accepted = accept(exchange, req)
    if (accepted === 'preflight') {
      // As any answer that ends its connection, not within the parser's callback: see #goOn.
      setImmediate(this.#preflight, exchange)
      return
    }
    exchange.failure =
      accepted ??
      this.#checkCapacity(exchange) ??
      authenticate(exchange, this.#keyArrived) ??
      this.#checkShare(exchange)
    const { failure, mustClose, contentLength } = exchange
    if (failure !== null && exchange.isClosedByEngine && contentLength <= discardedBodyBytesMax) {
      this.#discard(exchange, failure)
      return
    }
    collect.listen(exchange, this.#bodyArrived, this.#bodyRefused)
    if (failure === null) return
    const mayAwaitIds = contentLength <= refusedBodyBytesMax && !this.#isHalfFull
    if (mustClose) setTimeout(this.#refused, untrustedBodyMs, exchange, failure).unref()
    else if (!mayAwaitIds) respond.refuse(exchange, failure)
  }

  /** uWS closes behind this answer: the client must have sent its body by then, or it loses the answer to a reset. */
  #discard(exchange: Exchange, failure: Failure): void {
    exchange.res.onData((_chunk, isLast) => {
      if (isLast) setImmediate(this.#refused, exchange, failure)
    })
  }

  #checkCapacity(exchange: Exchange): Failure | null {
    const { failures, deadlines, exchangesMax } = this.#deps
    if (this.#isDraining) {
      exchange.mustClose = true
      return failures.draining
    }
    return deadlines.size > exchangesMax ? failures.overloaded : null
  }

  /** Of the requests under way, as of everything that is shared, an org has a part (org-holdings.ts). */
  #checkShare({ key }: Exchange): Failure | null {
    const { failures } = this.#deps
    if (key === null) return this.#isHalfFull ? failures.overloaded : null
    const free = this.#deps.exchangesMax - this.#deps.deadlines.size + 1
    return maySpare(key.holdings.exchanges - 1, free) ? null : failures.overloaded
  }

  /** From here on nothing is kept waiting for a request without a valid key. */
  get #isHalfFull(): boolean {
    return this.#deps.deadlines.size > this.#deps.exchangesMax / 2
  }

  readonly #keyArrived = this.#guard((exchange, failure: Failure | null) => {
    exchange.failure = failure ?? this.#checkShare(exchange) ?? this.#deps.collect.adopt(exchange)
    if ((exchange.waitsFor & waitsForBody) === 0) this.#goOn(exchange)
  })

  readonly #bodyArrived = (exchange: Exchange): void => {
    try {
      this.#goOn(exchange)
    } catch (bug) {
      this.#rescue(exchange, bug)
    }
  }

  /** The body is here, and the key is known unless it is still being looked up. */
  #goOn(exchange: Exchange): void {
    const { confirm, collect } = this.#deps
    if (exchange.failure === null && exchange.waitsFor === 0) {
      exchange.failure = confirm(exchange, this.#keyArrived)
    }
    const { failure } = exchange
    if (failure === null) {
      if (exchange.waitsFor === 0) this.#proceed(exchange)
      return
    }
    collect.readIds(exchange)
    this.#refuse(exchange, failure)
  }

  #refuse(exchange: Exchange, failure: Failure): void {
    // Not within the parser's callback: after a synchronous answer it would parse on in a segment that cannot be trusted.
    if (exchange.mustClose) setImmediate(this.#refused, exchange, failure)
    else this.#deps.respond.refuse(exchange, failure)
  }

  #proceed(exchange: Exchange): void {
    const { failures, collect, charge, dispatch, respond } = this.#deps
    const unread = collect.read(exchange)
    // Refused, but not for nothing: the answer has an error for each of its calls.
    const isCharged = unread === null || unread === failures.batch_too_large
    const failure = isCharged ? (charge(exchange) ?? unread) : unread
    const { refusedCalls, scan } = exchange
    if (failure === null && refusedCalls !== null && refusedCalls.size === scan?.calls.length) {
      if (exchange.mustClose) setImmediate(this.#answerRefusedCalls, exchange)
      else respond.answerRefusedCalls(exchange)
      return
    }
    const undelivered = failure ?? dispatch(exchange, this.#sink)
    if (undelivered !== null) this.#refuse(exchange, undelivered)
  }

  /** Written out, because these run for every answer: a rest parameter costs an array each time. */
  readonly #sink: AnswerSink = {
    head: (exchange, status, headers) => {
      try {
        this.#deps.respond.head(exchange, status, headers)
      } catch (bug) {
        this.#rescue(exchange, bug)
      }
    },
    piece: (exchange, piece) => {
      try {
        this.#deps.respond.piece(exchange, piece)
      } catch (bug) {
        this.#rescue(exchange, bug)
      }
    },
    end: (exchange) => {
      try {
        this.#deps.respond.end(exchange)
      } catch (bug) {
        this.#rescue(exchange, bug)
      }
    },
    fail: this.#guard((exchange, failure: Failure, cause: unknown) => {
      if (exchange.isOver) return
      this.#deps.onUpstreamFailure(exchange, failure, cause)
      this.#deps.respond.refuse(exchange, failure)
    })
  }

  readonly #bodyRefused = this.#guard((exchange, failure: Failure) => {
    if (failure === this.#deps.failures.body_timeout) {
      // Not within the parser's callback, because it closes the connection.
      setImmediate(this.#endBody, exchange, failure)
    } else this.#deps.respond.refuse(exchange, failure)
  })

  readonly #preflight = this.#guard((exchange) => {
    if (!exchange.isOver) this.#deps.respond.preflight(exchange)
  })

  readonly #answerRefusedCalls = this.#guard((exchange) => {
    if (!exchange.isOver) this.#deps.respond.answerRefusedCalls(exchange)
  })

  readonly #refused = this.#guard((exchange, failure: Failure) => {
    if (!exchange.isOver) this.#deps.respond.refuse(exchange, failure)
  })

  readonly #expired = this.#guard((exchange) => {
    const { failures, respond, onUpstreamFailure } = this.#deps
    if ((exchange.waitsFor & waitsForBody) !== 0) {
      this.#endBody(exchange, exchange.failure ?? failures.body_timeout)
    } else if (exchange.unsent !== null || (exchange.controller?.paused ?? false)) {
      // A client that stopped reading does not wait for an answer. The abort handler settles.
      exchange.res.close()
    } else if (exchange.waitsFor !== 0) {
      respond.refuse(exchange, failures.key_store_unavailable)
    } else {
      const cause = new Error('the deadline has passed')
      onUpstreamFailure(exchange, failures.upstream_timeout, cause)
      respond.refuse(exchange, failures.upstream_timeout)
      cancelCall(exchange, cause)
    }
  })

  /** Answers before the body is complete. The connection is closed, because the rest of the body may never come. */
  readonly #endBody = this.#guard((exchange, failure: Failure) => {
    if (exchange.isOver) return
    exchange.mustClose = true
    this.#deps.respond.refuse(exchange, failure)
  })

  /** The client has gone. */
  #abandon(exchange: Exchange): void {
    if (exchange.isOver) return
    exchange.isOver = true
    cancelCall(exchange, new Error('the client is gone'))
    this.#deps.settle(exchange)
  }

  #rescue(exchange: Exchange, bug: unknown): void {
    const { onBug, respond, failures, settle } = this.#deps
    onBug(exchange, bug)
    // In this order: the abort reports a failure of the upstream, which would be the client's answer.
    const endings = [
      () => !exchange.isOver && respond.refuse(exchange, failures.internal),
      () => !exchange.isOver && exchange.res.close(),
      () => cancelCall(exchange, new Error('the gateway failed on this request'))
    ]
    for (const end of endings) {
      try {
        end()
      } catch (second) {
        onBug(exchange, second)
      }
    }
    exchange.isOver = true
    settle(exchange)
  }

  /** Whoever calls the step, its bugs end here. */
  #guard<Args extends unknown[]>(step: (exchange: Exchange, ...args: Args) => void) {
    return (exchange: Exchange, ...args: Args): void => {
      try {
        step(exchange, ...args)
      } catch (bug) {
        this.#rescue(exchange, bug)
      }
    }
  }
}
