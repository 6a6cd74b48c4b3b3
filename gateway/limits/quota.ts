// A quota of cost per UTC day, exact across threads. One 64-bit word holds the day and what was used in it, so the
// change of the day and the charge are the same compare-and-swap and no thread can charge the wrong day:
//
//   day since 1970 (20 bits) · cost used that day (43 bits: 8.7 × 10^12)
//
// A day is never replaced by the day before it. Just after midnight a thread can still charge the old day, and a clock
// can step back over midnight: both are charged to the later day. A word that is further ahead than that comes from a
// clock that was wrong, and is replaced; the quota ledger then brings back what the database knows of the day.
import { dailyQuotaBounds } from '../../drizzle/limit-bounds.ts'

const usedBits = 43n
const usedMask = (1n << usedBits) - 1n
const dayStep = 1n << usedBits
const dayMs = 86_400_000

/** The largest quota that fits. */
export const quotaMax = dailyQuotaBounds.max

/** What useQuota returns when it admits nothing. */
export const refused = 0

/** Days since 1970 in UTC. */
export const dayOf = (wallMs: number): number => Math.floor(wallMs / dayMs)
/** The first moment of the next day, milliseconds since 1970. */
export const endOfDayMs = (wallMs: number): number => (dayOf(wallMs) + 1) * dayMs

/** Uses `cost` of today's quota, or nothing. Returns the day that was charged, or `refused`. */
export function useQuota(
  words: BigInt64Array,
  word: number,
  limit: bigint,
  cost: bigint,
  today: number
): number {
  const unused = BigInt(today) << usedBits
  for (;;) {
    const before = Atomics.load(words, word)
    const start = startOf(before, unused)
    if ((start & usedMask) + cost > limit) return refused
    if (Atomics.compareExchange(words, word, before, start + cost) === before) {
      return start - unused > usedMask ? today + 1 : today
    }
  }
}

/** What is charged on: the word as it is when it is of today or the next day, else today without any use. */
function startOf(before: bigint, unused: bigint): bigint {
  const ahead = before - unused
  return ahead >= 0n && ahead <= usedMask + dayStep ? before : unused
}

/**
 * Gives back what useQuota used for a call that another limit then refused, unless the day has changed meanwhile.
 * @param day what useQuota returned.
 */
export function returnQuota(words: BigInt64Array, word: number, cost: bigint, day: number): void {
  addUsed(words, word, -cost, day)
}

/** Adds what was used elsewhere (before a restart, by another gateway); negative to take back. Nothing when the word is of a later day. */
export function addUsed(words: BigInt64Array, word: number, cost: bigint, day: number): void {
  for (;;) {
    const before = Atomics.load(words, word)
    const wordDay = before >> usedBits
    const isSameDay = wordDay === BigInt(day)
    if (wordDay > BigInt(day) || (!isSameDay && cost <= 0n)) return
    const used = (isSameDay ? before & usedMask : 0n) + cost
    const bounded = used < 0n ? 0n : used > usedMask ? usedMask : used
    const after = (BigInt(day) << usedBits) | bounded
    if (Atomics.compareExchange(words, word, before, after) === before) return
  }
}

/** What the word holds: the day, and the cost used in it. */
export function readUsed(words: BigInt64Array, word: number): { day: number; used: number } {
  const value = Atomics.load(words, word)
  return { day: Number(value >> usedBits), used: Number(value & usedMask) }
}

/** What of today's quota is left, as useQuota sees it. */
export function quotaLeft(
  words: BigInt64Array,
  word: number,
  limit: bigint,
  today: number
): number {
  const { day, used } = readUsed(words, word)
  const isCurrent = day === today || day === today + 1
  return Math.max(0, Number(limit) - (isCurrent ? used : 0))
}
