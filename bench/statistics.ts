// Few rounds on a noisy machine: the median says what is usual, the range says how far to trust it.

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Throws on no values: that is a bug in who counts the rounds. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const lower = sorted[(sorted.length - 1) >> 1]
  const upper = sorted[sorted.length >> 1]
  if (lower === undefined || upper === undefined) throw new Error('no values to summarize')
  return {
    median: (lower + upper) / 2,
    min: sorted[0] as number,
    max: sorted[sorted.length - 1] as number
  }
}

/** Of values measured in the same rounds: each pair shared its noise, so their ratio is steadier than that of medians. */
export function summarizeRatios(values: readonly number[], bases: readonly number[]): Summary {
  return summarize(values.map((value, round) => value / (bases[round] as number)))
}
