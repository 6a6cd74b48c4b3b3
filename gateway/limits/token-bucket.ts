// A token bucket that is exact across threads: over any window T, admitted cost ≤ rate·T + burst.
//
// It is kept as one number, the generic cell rate algorithm's "theoretical arrival time" (TAT; ITU-T I.371): the moment
// at which the bucket will be full again. A call of cost c moves TAT by c / rate, and is admitted while TAT stays within
// burst / rate of now. One number means one compare-and-swap, with nothing to refill and no state that can tear.
//
// The time of one token is rounded up to whole nanoseconds, so rounding can only ever admit less (0.1 % at 1,000,000/s).
import { bucketWord } from './limit-slots.ts'

export interface Rate {
  /** Nanoseconds that one unit of cost takes to come back. */
  readonly tokenNs: bigint
  /** Nanoseconds that the full burst takes to come back. */
  readonly burstNs: bigint
}

/** @param tokensPerSecond 1 … 1,000,000. @param burst the cost that may be spent at once, 1 … 1,000,000. */
export function rateOf(tokensPerSecond: number, burst: number): Rate {
  const tokenNs = BigInt(Math.ceil(1e9 / tokensPerSecond))
  return { tokenNs, burstNs: tokenNs * BigInt(burst) }
}

export const admitted = 0n

/**
 * Takes `cost` tokens from the bucket in `slot`, or takes nothing. Returns `admitted`, or how many nanoseconds from now
 * the same call would be admitted if nothing else came; a cost above the burst never is.
 */
export function takeTokens(
  words: BigInt64Array,
  slot: number,
  rate: Rate,
  cost: bigint,
  nowNs: bigint
): bigint {
  const word = bucketWord(slot)
  const price = cost * rate.tokenNs
  const latest = nowNs + rate.burstNs
  for (;;) {
    const before = Atomics.load(words, word)
    const after = (before > nowNs ? before : nowNs) + price
    if (after > latest) return after - latest
    if (Atomics.compareExchange(words, word, before, after) === before) return admitted
  }
}

/** Gives back what takeTokens took for a call that another limit then refused. */
export function returnTokens(words: BigInt64Array, slot: number, rate: Rate, cost: bigint): void {
  Atomics.sub(words, bucketWord(slot), cost * rate.tokenNs)
}
