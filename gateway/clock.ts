// Time, as everything in the gateway receives it, so that tests can move it. Limits and deadlines use the monotonic
// readings: a clock jump changes nothing.

export interface Clock {
  /** Milliseconds, monotonic, with fractions; comparable on one thread only. */
  nowMs(): number
  /** Nanoseconds, monotonic, the same on every thread of the process. */
  nowNs(): bigint
  /** Milliseconds since 1970, which a person or NTP may move: for calendar days and expiry dates only. */
  wallMs(): number
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  nowNs: () => process.hrtime.bigint(),
  wallMs: () => Date.now()
}
