// The one cost model: what a call costs, by its method. The same number drives token buckets, quotas and usage. A
// method that has no weight of its own costs 1, so that a method nobody thought of is never free.

export const weightMax = 1_000_000

export interface Weights {
  /** The cost of one call: an integer from 0 to `weightMax`. */
  costOf(method: string): number
}

/** @param byMethod the chain's `method_weights`. Throws when a weight is not an integer from 0 to `weightMax`. */
export function createWeights(byMethod: Readonly<Record<string, number>>): Weights {
  // A Map, because method names come from clients: `constructor` and `__proto__` are names like any other.
  const weights = new Map(Object.entries(byMethod))
  for (const [method, weight] of weights) {
    if (!Number.isInteger(weight) || weight < 0 || weight > weightMax) {
      throw new RangeError(
        `the weight of ${JSON.stringify(method)} is ${weight}: it must be an integer from 0 to ${weightMax}`
      )
    }
  }
  return { costOf: (method) => weights.get(method) ?? 1 }
}
