// How many look-ups may be in vain: a token bucket from which each one takes that found no key. A flood of unknown keys,
// each a new one, is looked up no faster than that, and beyond it nothing new is: what is not cached cannot be told from
// junk without a question. Without it, such a flood takes half the core of a thread that serves known keys.

/** After a quiet time, so many seconds' worth at once. */
const burstSeconds = 1

export class VainLookups {
  readonly #perSecond: number
  #left: number
  #atMs: number

  /** @param perSecond KEY_UNKNOWN_PER_SECOND_MAX @param nowMs of the same clock as in `areSpent`. */
  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#left = burstSeconds * perSecond
    this.#atMs = nowMs
  }

  /** Whether nothing may be looked up now. */
  areSpent(nowMs: number): boolean {
    const returned = ((nowMs - this.#atMs) / 1000) * this.#perSecond
    this.#left = Math.min(this.#left + returned, burstSeconds * this.#perSecond)
    this.#atMs = nowMs
    return this.#left < 1
  }

  /** The debt has a floor: in an outage every refresh of a stale key is in vain, and must not be paid off for hours. */
  count(): void {
    this.#left = Math.max(this.#left - 1, -burstSeconds * this.#perSecond)
  }
}
