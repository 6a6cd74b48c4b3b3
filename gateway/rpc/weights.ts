// The one cost model: what a call costs, by its method. The same number drives token buckets, quotas and usage. A
// method that has no weight of its own costs 1, so that a method nobody thought of is never free.
import { isWithin, methodWeightBounds } from '../../drizzle/limit-bounds.ts'

const { min, max } = methodWeightBounds

export interface Weights {
  /** The cost of one call: an integer within `methodWeightBounds`; 0 is free. */
  costOf(method: string): number
}

/** @param byMethod the chain's `method_weights`. Throws when a weight is not an integer within `methodWeightBounds`. */
export function createWeights(byMethod: Readonly<Record<string, number>>): Weights {
  // A Map, because method names come from clients: `constructor` and `__proto__` are names like any other.
  const weights = new Map(Object.entries(byMethod))
  for (const [method, weight] of weights) {
    if (!isWithin(weight, methodWeightBounds)) {
      throw new RangeError(
        `the weight of ${JSON.stringify(method)} is ${weight}: it must be an integer from ${min} to ${max}`
      )
    }
  }
  return { costOf: (method) => weights.get(method) ?? 1 }
}
