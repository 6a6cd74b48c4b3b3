// A token bucket that is exact across threads: over any window T, admitted cost ≤ rate·T + burst.
//
// It is kept as one number, the generic cell rate algorithm's "theoretical arrival time" (TAT; ITU-T I.371): the moment
// at which the bucket will be full again. A call of cost c moves TAT by c / rate, and is admitted while TAT stays within
// burst / rate of now. One number means one compare-and-swap, with nothing to refill and no state that can tear.
//
// The time of one token is rounded up to whole nanoseconds, so rounding can only ever admit less (0.1 % at 1,000,000/s).
//
// A TAT means something at the rate that made it only. So a word belongs to one rate: a plan that changes gets another
// word, to which the main thread carries what is owed, counted in tokens (limit-words.ts).
import { burstBounds, isWithin, requestsPerSecondBounds } from '../../drizzle/limit-bounds.ts'

export interface Rate {
  /** Nanoseconds that one unit of cost takes to come back. */
  readonly tokenNs: bigint
  /** Nanoseconds that the full burst takes to come back. */
  readonly burstNs: bigint
}

/** @param burst the cost that may be spent at once. Throws when either is out of the bounds in drizzle/limit-bounds.ts. */
export function rateOf(tokensPerSecond: number, burst: number): Rate {
  if (!isWithin(tokensPerSecond, requestsPerSecondBounds) || !isWithin(burst, burstBounds)) {
    throw new RangeError(`a rate of ${tokensPerSecond}/s with a burst of ${burst} is out of bounds`)
  }
  const tokenNs = BigInt(Math.ceil(1e9 / tokensPerSecond))
  return { tokenNs, burstNs: tokenNs * BigInt(burst) }
}

export const admitted = 0n

/**
 * Takes `cost` tokens from the bucket in `word`, or takes nothing. Returns `admitted`, or how many nanoseconds from now
 * the same call would be admitted if nothing else came; a cost above the burst never is.
 */
export function takeTokens(
  words: BigInt64Array,
  word: number,
  rate: Rate,
  cost: bigint,
  nowNs: bigint
): bigint {
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
export function returnTokens(words: BigInt64Array, word: number, rate: Rate, cost: bigint): void {
  Atomics.sub(words, word, cost * rate.tokenNs)
}

/** Nanoseconds until the bucket is full again: what is owed, at the rate of the word. */
export function owedNs(words: BigInt64Array, word: number, nowNs: bigint): bigint {
  const owed = Atomics.load(words, word) - nowNs
  return owed > 0n ? owed : 0n
}

/** What `ns` at one rate is worth at another: as many tokens, in whole nanoseconds, rounded up. */
export const convertOwed = (ns: bigint, from: Rate, to: Rate): bigint =>
  (ns * to.tokenNs + from.tokenNs - 1n) / from.tokenNs

/** Makes the bucket owe so much more, but never more than the whole burst. */
export function addOwed(
  words: BigInt64Array,
  word: number,
  rate: Rate,
  ns: bigint,
  nowNs: bigint
): void {
  for (;;) {
    const before = Atomics.load(words, word)
    const sum = (before > nowNs ? before : nowNs) + ns
    const latest = nowNs + rate.burstNs
    if (before >= latest) return
    // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint.
    const after = sum < latest ? sum : latest
    if (Atomics.compareExchange(words, word, before, after) === before) return
  }
}
