// The deadline of every exchange under way, and the only one: uWebSockets.js has no timer while a handler is pending, and
// undici's, which start only when a request is on its socket and cost each request two, are switched off. So this is what
// ends a request that waits for a key, a body, a queue, an upstream, or a client that stopped reading.
//
// All exchanges get the same time, so the list of exchanges in the order of their last progress is also the order of
// their deadlines: adding, renewing and removing are a few assignments, and looking for the late ones stops at the first
// that is not.
import type { Exchange } from './exchange.ts'

export class Deadlines {
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
