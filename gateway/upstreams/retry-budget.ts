// How much a thread may repeat: 20 % of its requests, plus 10 per second so that a quiet gateway can repeat at all
// (linkerd's retry budget). When an upstream fails as a whole, repeating every call would only double its load.
import type { Clock } from '../clock.ts'

const share = 0.2
const perSecond = 10
/** Repeats that may be saved up. */
const balanceMax = 100

export class RetryBudget {
  readonly #clock: Clock
  #balance = perSecond
  #readMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#readMs = clock.nowMs()
  }

  /** Call for every request that is sent for the first time. */
  deposit(): void {
    if (this.#balance < balanceMax) this.#balance += share
  }

  /** Whether one more repeat is within the budget; if so it is spent. */
  withdraw(): boolean {
    const nowMs = this.#clock.nowMs()
    const earned = ((nowMs - this.#readMs) / 1000) * perSecond
    this.#balance = Math.min(balanceMax, this.#balance + earned)
    this.#readMs = nowMs
    if (this.#balance < 1) return false
    this.#balance -= 1
    return true
  }
}
