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
import type { Authenticate } from './stages/authenticate.ts'
import type { Charge } from './stages/charge.ts'
import type { Collect } from './stages/collect.ts'
import { type AnswerSink, cancelCall, type Dispatch } from './stages/dispatch.ts'
import type { Respond } from './stages/respond.ts'
import type { Settle } from './stages/settle.ts'
import type { HttpRequest, HttpResponse } from './uws.ts'

export interface PipelineDeps {
  readonly failures: Failures
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly exchangesMax: number
  readonly accept: Accept
  readonly authenticate: Authenticate
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
      respond.preflight(exchange)
      return
    }
    exchange.failure =
      accepted ?? this.#checkCapacity(exchange) ?? authenticate(exchange, this.#keyArrived)
    collect.listen(exchange, this.#bodyArrived, this.#refused)
    const isLarge = exchange.contentLength > refusedBodyBytesMax
    if (exchange.failure !== null && isLarge && !exchange.mustClose) {
      respond.refuse(exchange, exchange.failure)
    }
    if (exchange.failure !== null && exchange.mustClose) {
      setTimeout(this.#refused, untrustedBodyMs, exchange, exchange.failure).unref()
    }
  }

  #checkCapacity(exchange: Exchange): Failure | null {
    const { failures, deadlines, exchangesMax } = this.#deps
    if (this.#isDraining) {
      exchange.mustClose = true
      return failures.draining
    }
    return deadlines.size > exchangesMax ? failures.overloaded : null
  }

  readonly #keyArrived = this.#guard((exchange, failure: Failure | null) => {
    exchange.failure = failure
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
    const { collect, respond } = this.#deps
    const { failure } = exchange
    if (failure === null) {
      if (exchange.waitsFor === 0) this.#proceed(exchange)
      return
    }
    collect.readIds(exchange)
    // Not within the parser's callback: after a synchronous answer it would parse on in a segment that cannot be trusted.
    if (exchange.mustClose) setImmediate(this.#refused, exchange, failure)
    else respond.refuse(exchange, failure)
  }

  #proceed(exchange: Exchange): void {
    const { failures, collect, charge, dispatch, respond } = this.#deps
    const unread = collect.read(exchange)
    // Refused, but not for nothing: the answer has an error for each of its calls.
    const isCharged = unread === null || unread === failures.batch_too_large
    const failure = isCharged ? (charge(exchange) ?? unread) : unread
    const { refusedCalls, scan } = exchange
    if (failure === null && refusedCalls !== null && refusedCalls.size === scan?.calls.length) {
      respond.answerRefusedCalls(exchange)
      return
    }
    const undelivered = failure ?? dispatch(exchange, this.#sink)
    if (undelivered !== null) respond.refuse(exchange, undelivered)
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

  readonly #refused = this.#guard((exchange, failure: Failure) => {
    if (!exchange.isOver) this.#deps.respond.refuse(exchange, failure)
  })

  readonly #expired = this.#guard((exchange) => {
    const { failures, respond, onUpstreamFailure } = this.#deps
    const isClientStuck =
      (exchange.waitsFor & waitsForBody) !== 0 || (exchange.controller?.paused ?? false)
    if (isClientStuck) {
      // A client that stopped sending or reading does not wait for an answer. The abort handler settles.
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
