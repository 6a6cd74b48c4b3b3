// A series: what was counted in each step of a time range, in all or for each of the most called groups. The groups that are
// not told apart are one more group, `_other`: the whole less those that are, so a series always adds up to the whole.
import { otherGroup, rankGroups, rankSpan } from './ranking.ts'
import type { UsageSnapshot } from './repo.ts'
import { type Dimension, type Filters, narrow, type Slice } from './slice.ts'
import type { TimeRange } from './time-range.ts'
import { type Counts, callsOf, noSums, type Sums, subtractSums } from './usage-sums.ts'

export const outcomes = ['ok', 'client_error', 'rate_limited', 'upstream_error'] as const
export type Outcome = (typeof outcomes)[number]
export const groupings = ['endpoint', 'key', 'method', 'chain', 'outcome'] as const
export type Grouping = (typeof groupings)[number]

/** Rows of an answer: steps times groups. About 300 bytes each as JSON. */
export const rowsMax = 33_000

export interface SeriesQuestion {
  range: TimeRange
  filters: Filters
  outcome: Outcome | null
  groupBy: Grouping | null
  /** So many are told apart. */
  groups: number
}

export interface Point {
  t: Date
  /** Null without groups. */
  group: string | null
  /** Null is all outcomes; what is not counted by outcome is then unknown. */
  outcome: Outcome | null
  sums: Sums
}

const outcomeFields = {
  ok: 'ok',
  client_error: 'clientError',
  rate_limited: 'rateLimited',
  upstream_error: 'upstreamError'
} as const satisfies Record<Outcome, keyof Counts>

/** Calls, or those of one outcome. */
export function callsWith(outcome: Outcome | null, counts: Counts): number {
  return outcome === null ? callsOf(counts) : counts[outcomeFields[outcome]]
}

/** Which rows answer a question when it is grouped so. */
export type SliceResolver = (groupBy: Dimension | null) => Promise<Slice>

/** In order of time; groups in order of their calls, `_other` last. Steps without calls are there only without groups. */
export async function loadSeries(
  snapshot: UsageSnapshot,
  question: SeriesQuestion,
  sliceBy: SliceResolver
): Promise<Point[]> {
  const { groupBy, outcome, range } = question
  if (groupBy === null) {
    const whole = await loadWhole(snapshot, question, sliceBy)
    return stepsOf(range).map((t, place) => {
      return { t, group: null, outcome, sums: whole.get(place) ?? noSums() }
    })
  }
  if (groupBy === 'outcome') {
    const whole = await loadWhole(snapshot, question, sliceBy)
    const told = outcome === null ? outcomes : [outcome]
    return stepsOf(range).flatMap((t, place) => {
      const sums = whole.get(place) ?? noSums()
      return told
        .map((one) => ({ t, group: one, outcome: one, sums }))
        .filter((point) => callsWith(point.outcome, sums) > 0)
    })
  }
  return await loadGrouped(snapshot, question, groupBy, sliceBy)
}

type Places = Map<number, Sums>

async function loadWhole(
  snapshot: UsageSnapshot,
  { range }: SeriesQuestion,
  sliceBy: SliceResolver
): Promise<Places> {
  const rows = await snapshot.sumSeries(await sliceBy(null), range, null)
  return new Map(rows.map(({ place, sums }) => [place, sums]))
}

async function loadGrouped(
  snapshot: UsageSnapshot,
  question: SeriesQuestion,
  groupBy: Dimension,
  sliceBy: SliceResolver
): Promise<Point[]> {
  const { range, outcome } = question
  const slice = await sliceBy(groupBy)
  const { top, hasOthers } = await rankGroups(snapshot, {
    slice,
    span: rankSpan(range),
    groupBy,
    count: question.groups,
    measure: (counts) => callsWith(outcome, counts)
  })
  const names = top.map(({ group }) => group)
  const byGroup = new Map<string, Places>(names.map((name) => [name, new Map()]))
  // Without a name to look for there is nothing but others.
  const told = names.length === 0 ? [] : [narrow(slice, groupBy, new Set(names))]
  for (const part of told) {
    for (const { place, group, sums } of await snapshot.sumSeries(part, range, groupBy)) {
      byGroup.get(group)?.set(place, sums)
    }
  }
  if (hasOthers) {
    const rest = await loadWhole(snapshot, question, sliceBy)
    for (const places of byGroup.values()) {
      for (const [place, sums] of places) {
        const left = rest.get(place)
        if (left !== undefined) subtractSums(left, sums)
      }
    }
    byGroup.set(otherGroup, rest)
  }
  return stepsOf(range).flatMap((t, place) =>
    [...byGroup].flatMap(([group, places]) => {
      const sums = places.get(place)
      const isCalled = sums !== undefined && callsWith(outcome, sums) > 0
      return isCalled ? [{ t, group, outcome, sums }] : []
    })
  )
}

function stepsOf({ bounds }: TimeRange): Date[] {
  return bounds.slice(0, -1).map((bound) => new Date(bound))
}
