// One endpoint that somebody watches: what was counted for it since, and its latest minutes. Sums of days are what is
// compared, because a sum that arrives late still belongs to the minute in which it was counted, and a minute that is over
// is not looked at for long.
import type { TimedCounts } from './summary.ts'
import { addCounts, type Counts, callsOf, countsBetween, noCounts } from './usage-sums.ts'

export class LiveWatch {
  readonly endpointId: string
  readers = 0
  /** Grows by whatever is counted; where it began means nothing. */
  readonly total: Counts = { ...noCounts }
  minutes: readonly TimedCounts[] = []
  #days = new Map<number, Counts>()

  constructor(endpointId: string) {
    this.endpointId = endpointId
  }

  /** The earliest day that was seen to have calls. */
  get firstDay(): Date | null {
    const called = [...this.#days].filter(([, counts]) => callsOf(counts) > 0)
    return called.length === 0 ? null : new Date(Math.min(...called.map(([day]) => day)))
  }

  /** Takes what was read. Days that were not read any more are over. */
  update(days: readonly TimedCounts[], minutes: readonly TimedCounts[]): void {
    for (const { startsAt, counts } of days) {
      addCounts(this.total, countsBetween(this.#days.get(startsAt.getTime()) ?? noCounts, counts))
    }
    this.#days = new Map(days.map(({ startsAt, counts }) => [startsAt.getTime(), counts]))
    this.minutes = minutes
  }
}
