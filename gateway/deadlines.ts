// The deadline of every exchange under way, and the only one: uWebSockets.js has no timer while a handler is pending, and
// undici's, which start only when a request is on its socket and cost each request two, are switched off. So this is what
// ends a request that waits for its body, a key, a queue, an upstream, or a client that stopped reading.
//
// All exchanges of a list get the same time, so a list of exchanges in the order of their last progress is also in the
// order of their deadlines: adding, renewing and removing are a few assignments, and looking for the late ones stops at
// the first that is not. There are two lists, because a client that sends a body and a node that works on a call may be
// given different times.
import { type Exchange, waitsForBody } from './exchange.ts'

export class DeadlineList {
  readonly #timeoutMs: number
  #oldest: Exchange | null = null
  #newest: Exchange | null = null
  #size = 0

  /** @param timeoutMs the time that an exchange may go without progress. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** Exchanges under way. */
  get size(): number {
    return this.#size
  }

  add(exchange: Exchange, nowMs: number): void {
    exchange.deadlineMs = nowMs + this.#timeoutMs
    exchange.older = this.#newest
    exchange.newer = null
    if (this.#newest === null) this.#oldest = exchange
    else this.#newest.newer = exchange
    this.#newest = exchange
    this.#size++
  }

  remove(exchange: Exchange): void {
    const { older, newer } = exchange
    if (older === null) this.#oldest = newer
    else older.newer = newer
    if (newer === null) this.#newest = older
    else newer.older = older
    exchange.older = null
    exchange.newer = null
    this.#size--
  }

  /** The exchange has made progress: its time starts anew. */
  renew(exchange: Exchange, nowMs: number): void {
    this.remove(exchange)
    this.add(exchange, nowMs)
  }

  /** Calls `expire` for each exchange whose time is over. `expire` must remove it. */
  sweep(nowMs: number, expire: (exchange: Exchange) => void): void {
    for (let late = this.#oldest; late !== null && late.deadlineMs <= nowMs; late = this.#oldest) {
      expire(late)
    }
  }

  /** Every exchange under way, oldest first. */
  all(): Exchange[] {
    const exchanges: Exchange[] = []
    for (let one = this.#oldest; one !== null; one = one.newer) exchanges.push(one)
    return exchanges
  }
}

export interface DeadlineTimes {
  /** BODY_IDLE_TIMEOUT_MS: between two pieces of a request's body. */
  readonly bodyIdleMs: number
  /** UPSTREAM_TIMEOUT_MS: between two steps of everything that follows. */
  readonly progressMs: number
}

/** An exchange is in the first list for as long as it waits for its body (`waitsForBody`), and then in the second. */
export class Deadlines {
  readonly #bodies: DeadlineList
  readonly #answers: DeadlineList

  constructor({ bodyIdleMs, progressMs }: DeadlineTimes) {
    this.#bodies = new DeadlineList(bodyIdleMs)
    this.#answers = new DeadlineList(progressMs)
  }

  /** Exchanges under way. */
  get size(): number {
    return this.#bodies.size + this.#answers.size
  }

  add(exchange: Exchange, nowMs: number): void {
    this.#listOf(exchange).add(exchange, nowMs)
  }

  /** The body is complete. */
  endBody(exchange: Exchange, nowMs: number): void {
    this.#bodies.remove(exchange)
    exchange.waitsFor &= ~waitsForBody
    this.#answers.add(exchange, nowMs)
  }

  remove(exchange: Exchange): void {
    this.#listOf(exchange).remove(exchange)
  }

  /** The exchange has made progress: its time starts anew. */
  renew(exchange: Exchange, nowMs: number): void {
    this.#listOf(exchange).renew(exchange, nowMs)
  }

  /** Calls `expire` for each exchange whose time is over. `expire` must remove it. */
  sweep(nowMs: number, expire: (exchange: Exchange) => void): void {
    this.#bodies.sweep(nowMs, expire)
    this.#answers.sweep(nowMs, expire)
  }

  #listOf({ waitsFor }: Exchange): DeadlineList {
    return (waitsFor & waitsForBody) === 0 ? this.#answers : this.#bodies
  }
}
