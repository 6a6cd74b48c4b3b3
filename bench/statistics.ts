// Few rounds on a noisy machine: the median says what is usual, the range says how far to trust it, and the confidence
// interval of a ratio says whether a difference is one.

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Interval {
  readonly ratio: number
  readonly low: number
  readonly high: number
}

const resamples = 10_000
/** 95 %: what lies between these parts of the resampled ratios. */
const tails = [0.025, 0.975] as const

/** Throws on no values: that is a bug in who counts the rounds. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  return {
    median: medianOf(sorted),
    min: sorted[0] as number,
    max: sorted[sorted.length - 1] as number
  }
}

/** Of values measured in the same rounds: each pair shared its noise, so their ratio is steadier than that of medians. */
export function summarizeRatios(values: readonly number[], bases: readonly number[]): Summary {
  return summarize(values.map((value, round) => value / (bases[round] as number)))
}

/**
 * The ratio of two medians, with its 95 % confidence interval by bootstrap: rounds are drawn again, with replacement, both
 * values of a round together (Efron 1979). The draws are the same for the same number of rounds.
 */
export function ratioOfMedians(values: readonly number[], bases: readonly number[]): Interval {
  if (values.length !== bases.length) throw new Error('not the same rounds')
  const random = createRandom(values.length)
  const ratios = Array.from({ length: resamples }, () => {
    const rounds = values.map(() => Math.floor(random() * values.length))
    return ratioIn(values, bases, rounds)
  }).sort((a, b) => a - b)
  const [low, high] = tails.map((part) => ratios[Math.round(part * (resamples - 1))] as number)
  return { ratio: ratioIn(values, bases, [...values.keys()]), low: low ?? 0, high: high ?? 0 }
}

function ratioIn(
  values: readonly number[],
  bases: readonly number[],
  rounds: readonly number[]
): number {
  const median = (all: readonly number[]) =>
    medianOf(rounds.map((round) => all[round] as number).sort((a, b) => a - b))
  return median(values) / median(bases)
}

function medianOf(sorted: readonly number[]): number {
  const lower = sorted[(sorted.length - 1) >> 1]
  const upper = sorted[sorted.length >> 1]
  if (lower === undefined || upper === undefined) throw new Error('no values to summarize')
  return (lower + upper) / 2
}

/** Numbers in [0, 1), the same for the same seed (mulberry32): a report that is made again says the same. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
