// A quota of cost per UTC day, exact across threads. One 64-bit word holds the day and what was used in it, so the
// change of the day and the charge are the same compare-and-swap and no thread can charge the wrong day:
//
//   day since 1970 (20 bits) · cost used that day (43 bits: 8.7 × 10^12)
import { quotaWord } from './limit-slots.ts'

const usedBits = 43n
const usedMask = (1n << usedBits) - 1n
const dayMs = 86_400_000

/** The largest quota that fits. */
export const quotaMax = Number(usedMask)

/** Days since 1970 in UTC. */
export const dayOf = (wallMs: number): number => Math.floor(wallMs / dayMs)
/** The first moment of the next day, milliseconds since 1970. */
export const endOfDayMs = (wallMs: number): number => (dayOf(wallMs) + 1) * dayMs

/** Uses `cost` of today's quota, or nothing. Returns whether it was admitted. */
export function useQuota(
  words: BigInt64Array,
  slot: number,
  limit: bigint,
  cost: bigint,
  today: number
): boolean {
  const word = quotaWord(slot)
  const unused = BigInt(today) << usedBits
  for (;;) {
    const before = Atomics.load(words, word)
    const used = before - unused
    // Of any other day, before or after.
    const start = used >= 0n && used <= usedMask ? used : 0n
    if (start + cost > limit) return false
    const after = unused + start + cost
    if (Atomics.compareExchange(words, word, before, after) === before) return true
  }
}

/** Gives back what useQuota used for a call that another limit then refused, unless the day has changed meanwhile. */
export function returnQuota(words: BigInt64Array, slot: number, cost: bigint, today: number): void {
  addUsed(words, slot, -cost, today)
}

/** Adds what was used elsewhere (before a restart, by another gateway); negative to take back. */
export function addUsed(words: BigInt64Array, slot: number, cost: bigint, today: number): void {
  const word = quotaWord(slot)
  for (;;) {
    const before = Atomics.load(words, word)
    const sameDay = before >> usedBits === BigInt(today)
    if (!sameDay && cost <= 0n) return
    const used = (sameDay ? before & usedMask : 0n) + cost
    const bounded = used < 0n ? 0n : used > usedMask ? usedMask : used
    const after = (BigInt(today) << usedBits) | bounded
    if (Atomics.compareExchange(words, word, before, after) === before) return
  }
}

/** What the slot holds: the day, and the cost used in it. */
export function readUsed(words: BigInt64Array, slot: number): { day: number; used: number } {
  const word = Atomics.load(words, quotaWord(slot))
  return { day: Number(word >> usedBits), used: Number(word & usedMask) }
}
