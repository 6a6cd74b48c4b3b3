// The bounds of every limit and weight, in one place: REST refuses what lies outside them, and the gateway counts with
// numbers that they keep exact. A plain list of constants, so that either plane may import it.

export interface Bounds {
  readonly min: number
  readonly max: number
}

/** Cost per second. The gateway counts the time of one unit in whole nanoseconds, which at a million is off by 0.1 %. */
export const requestsPerSecondBounds: Bounds = { min: 1, max: 1_000_000 }

/** Cost that may be spent at once. */
export const burstBounds: Bounds = { min: 1, max: 1_000_000 }

/** Cost per UTC day: the gateway keeps a day's consumption in 43 bits beside the day (gateway/limits/quota.ts). */
export const dailyQuotaBounds: Bounds = { min: 1, max: 2 ** 43 - 1 }

/**
 * Cost of one call of a method. 0 makes it free: it passes every rate and quota, which is the operator's decision. Never
 * more than the largest burst, because a call above its burst can never pass.
 */
export const methodWeightBounds: Bounds = { min: 0, max: burstBounds.max }

export const isWithin = (value: number, { min, max }: Bounds): boolean =>
  Number.isInteger(value) && value >= min && value <= max
