// Percentiles out of a latency histogram: the value at a rank, as if the calls of a bucket were spread evenly over it. With
// the bounds of the usage tables, whose ratio is √2 up to a second, that is within 8 % of the exact value.
import { latencyBoundsMs } from '../../drizzle/schema/usage.ts'

/**
 * @param buckets calls in each bucket of latencyBoundsMs, and those above the last bound.
 * @param share 0.95 is the 95th percentile.
 * @returns milliseconds, or null when there were no calls. Above the last bound nothing more is known than the bound.
 */
export function percentileMs(buckets: readonly number[], share: number): number | null {
  let total = 0
  for (const calls of buckets) total += calls
  if (total === 0) return null
  const rank = share * total
  let below = 0
  for (const [place, upper] of latencyBoundsMs.entries()) {
    const calls = buckets[place] ?? 0
    if (calls > 0 && below + calls >= rank) {
      const lower = latencyBoundsMs[place - 1] ?? 0
      return roundToMicroseconds(lower + ((upper - lower) * (rank - below)) / calls)
    }
    below += calls
  }
  return latencyBoundsMs[latencyBoundsMs.length - 1] ?? null
}

function roundToMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
