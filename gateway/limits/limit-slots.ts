// The shared memory behind every limit: one slot of two 64-bit words for each scope (an endpoint or an org) that has a
// limit. Word 0 is its token bucket, word 1 its quota of the day. All threads change them by compare-and-swap, so a
// limit is exact however many threads serve a key: 20–40 ns a charge here, and no lock that a descheduled thread could
// hold. The main thread assigns the slots; a thread only ever sees slot numbers, inside key records.

const wordsPerSlot = 2

/** A scope without limits has no slot. */
export const noSlot = -1

export function createLimitMemory(slotsMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slotsMax * wordsPerSlot * 8)
}

export const bucketWord = (slot: number): number => slot * wordsPerSlot
export const quotaWord = (slot: number): number => slot * wordsPerSlot + 1

export interface LimitSlots {
  /** The slot of a scope, assigned at first sight. Null when all LIMIT_SLOTS_MAX are taken. */
  assign(scopeId: string): number | null
  has(scopeId: string): boolean
  /** Every assigned scope and its slot. */
  entries(): Iterable<readonly [string, number]>
}

/** On the main thread only. A slot is never given to another scope while the process lives: records in flight may name it. */
export function createLimitSlots(slotsMax: number): LimitSlots {
  const slots = new Map<string, number>()
  return {
    assign(scopeId) {
      const known = slots.get(scopeId)
      if (known !== undefined) return known
      if (slots.size >= slotsMax) return null
      slots.set(scopeId, slots.size)
      return slots.size - 1
    },
    has: (scopeId) => slots.has(scopeId),
    entries: () => slots.entries()
  }
}
