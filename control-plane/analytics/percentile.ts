// Percentiles out of a latency histogram. Within a bucket calls are not taken to be spread evenly, which is up to 30 % off
// where latencies end or fall off steeply, but as the buckets beside it suggest: with a slope, or, where there are no calls
// beyond it, crowded against the side that has neighbours. With the bounds of the usage tables, whose ratio is √2 up to a
// second, that is within 8 % of the exact value (usage-percentiles.test.ts), but for a peak that is narrower than a bucket,
// which can be anywhere in it: 15 %.
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
      const lower = boundBelow(place)
      const position = positionOf((rank - below) / calls, shapeAt(buckets, place))
      return roundToMicroseconds(lower + (upper - lower) * position)
    }
    below += calls
  }
  return latencyBoundsMs[latencyBoundsMs.length - 1] ?? null
}

/** Calls for each millisecond of a bucket and of those beside it, and the widths of the three. */
interface Shape {
  density: number
  densityBelow: number
  densityAbove: number
  width: number
  widthBelow: number
  widthAbove: number
}

function shapeAt(buckets: readonly number[], place: number): Shape {
  const width = widthOf(place)
  const widthBelow = widthOf(place - 1)
  const widthAbove = widthOf(place + 1)
  const callsAt = (at: number) => buckets[at] ?? 0
  const density = callsAt(place) / width
  // What is above the last bound is somewhere: as good as a neighbour that says nothing.
  const endless = callsAt(place + 1) > 0 ? density : 0
  return {
    density,
    densityBelow: widthBelow === 0 ? 0 : callsAt(place - 1) / widthBelow,
    densityAbove: widthAbove === 0 ? endless : callsAt(place + 1) / widthAbove,
    width,
    widthBelow,
    widthAbove
  }
}

/** Where in a bucket, from 0 to 1, a share of its calls has passed. */
function positionOf(share: number, shape: Shape): number {
  const { density, densityBelow, densityAbove, width, widthBelow, widthAbove } = shape
  if (densityAbove === 0 && densityBelow > density) return (density / densityBelow) * share
  if (densityBelow === 0 && densityAbove > density) {
    return 1 - (density / densityAbove) * (1 - share)
  }
  // A density that rises from 1 - tilt to 1 + tilt times its average, as it does from neighbour to neighbour.
  const slope = (densityAbove - densityBelow) / (width + (widthBelow + widthAbove) / 2)
  const tilt = Math.max(-1, Math.min(1, (slope * width) / 2 / density))
  if (Math.abs(tilt) < 1e-9) return share
  const start = 1 - tilt
  return (Math.sqrt(start * start + 4 * tilt * share) - start) / (2 * tilt)
}

/** 0 beyond the first and the last bound. */
function widthOf(place: number): number {
  const upper = latencyBoundsMs[place]
  return upper === undefined ? 0 : upper - boundBelow(place)
}

function boundBelow(place: number): number {
  return latencyBoundsMs[place - 1] ?? 0
}

function roundToMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
