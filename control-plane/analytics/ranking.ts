// Which groups have the most calls. A chart tells a few apart and adds up the rest, so this is asked before every series
// that is grouped, over a coarser table than the series itself: whole days, or whole hours when the series is short.
import type { UsageSnapshot } from './repo.ts'
import { type Dimension, type Slice, wholeOf } from './slice.ts'
import { dayMs, floorTo, stepMs } from './time-range.ts'
import type { Span } from './usage-columns.ts'
import type { Counts } from './usage-sums.ts'

/** What calls are folded into that are in none of the groups that are told apart; gateways call rare methods so, too. */
export const otherGroup = '_other'

/** Up to it, whole days would say too little about the hours that are shown. */
const hoursRankedMax = 6
/** Endpoints whose keys are looked at together. */
const endpointsAtOnce = 40
/** Endpoints whose keys are looked at in all, the most called ones: 500 of them would take most of a second. */
export const endpointsRankedMax = 120

export interface RankedGroup {
  group: string
  counts: Counts
}

export interface Ranking {
  /** The most called first. */
  top: RankedGroup[]
  /** Whether there may be more groups. */
  hasOthers: boolean
}

export interface RankQuestion {
  slice: Slice
  span: Span
  groupBy: Dimension
  count: number
  measure: (counts: Counts) => number
}

/** The coarser span that holds a range. */
export function rankSpan({ from, to }: { from: Date; to: Date }): Span {
  const hours = (to.getTime() - from.getTime()) / stepMs['1h']
  const grain = hours <= hoursRankedMax ? '1h' : '1d'
  const ms = grain === '1h' ? stepMs['1h'] : dayMs
  return {
    grain,
    from: new Date(floorTo(from.getTime(), ms)),
    to: new Date(floorTo(to.getTime() + ms - 1, ms))
  }
}

export async function rankGroups(
  snapshot: UsageSnapshot,
  question: RankQuestion
): Promise<Ranking> {
  const { slice, span, groupBy, count } = question
  const { scopes } = slice
  const isDetailOfMany = scopes.length > endpointsAtOnce && scopes[0]?.keyIds[0] !== ''
  if (isDetailOfMany) return await rankDetail(snapshot, question)
  const found = await snapshot.sumGroups(slice, span, groupBy)
  const top = sortGroups(found, question).slice(0, count)
  return { top, hasOthers: found.length > top.length }
}

/**
 * The detail of an org with thousands of keys is too much to read. But neither a key nor a method can have more calls than
 * its endpoint: endpoints are looked into from the most called on, until the next has fewer calls than the last of the top.
 * Where a filter leaves little of them that may take long, so it ends somewhere: what is not ranked is in the others.
 */
async function rankDetail(snapshot: UsageSnapshot, question: RankQuestion): Promise<Ranking> {
  const { slice, span, groupBy, count, measure } = question
  const totals = await snapshot.sumGroups(
    { scopes: slice.scopes.map(({ scopeId }) => wholeOf(scopeId)) },
    span,
    'endpoint'
  )
  const byCalls = totals.toSorted((one, other) => measure(other.counts) - measure(one.counts))
  const scopeOf = new Map(slice.scopes.map((scope) => [scope.scopeId, scope]))
  let found: RankedGroup[] = []
  const ranked = byCalls.slice(0, endpointsRankedMax)
  for (let start = 0; start < ranked.length; start += endpointsAtOnce) {
    const batch = ranked.slice(start, start + endpointsAtOnce)
    const [most] = batch
    const last = found[count - 1]
    if (most !== undefined && last !== undefined && measure(last.counts) >= measure(most.counts)) {
      return { top: found.slice(0, count), hasOthers: true }
    }
    const scopes = batch.flatMap(({ group }) => scopeOf.get(group) ?? [])
    const more = await snapshot.sumGroups({ ...slice, scopes }, span, groupBy)
    // One more than is asked for, to know that there are others.
    found = sortGroups([...found, ...more], question).slice(0, count + 1)
  }
  const hasOthers = found.length > count || byCalls.length > ranked.length
  return { top: found.slice(0, count), hasOthers }
}

function sortGroups(
  found: readonly RankedGroup[],
  { measure }: Pick<RankQuestion, 'measure'>
): RankedGroup[] {
  return found
    .filter(({ group }) => group !== otherGroup)
    .toSorted(
      (one, other) =>
        measure(other.counts) - measure(one.counts) || (one.group < other.group ? -1 : 1)
    )
}
