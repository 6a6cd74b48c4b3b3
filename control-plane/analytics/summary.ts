// The figures at a glance: four periods, each beside the one before it. All eight come from one reading of hours, and the
// part of an hour from minutes, as far as minutes are kept.
import { dayMs, floorTo, stepMs } from './time-range.ts'
import { addCounts, type Counts, callsOf, noCounts } from './usage-sums.ts'

const hourMs = stepMs['1h']

/** The end is not part of it. */
export interface Period {
  from: Date
  to: Date
}

export const periodNames = ['today', 'last_7_days', 'last_30_days', 'month_to_date'] as const
export type PeriodName = (typeof periodNames)[number]
export type Comparison = { current: Period; before: Period }

export interface TimedCounts {
  startsAt: Date
  counts: Counts
}

/**
 * Today and the month are those of UTC until now; days before now are counted in whole hours, the running one included.
 * Before: yesterday until this time of day, as many whole days, the month before until this hour of its day.
 */
export function comparisonsAt(now: Date): Record<PeriodName, Comparison> {
  const nowMs = now.getTime()
  const minute = floorTo(nowMs, stepMs['1m'])
  const hour = floorTo(nowMs, hourMs)
  const today = floorTo(nowMs, dayMs)
  const month = Date.UTC(now.getUTCFullYear(), now.getUTCMonth())
  const monthBefore = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1)
  // A shorter month before is over when it is over.
  const monthElapsed = Math.min(monthBefore + roundTo(nowMs - month, hourMs), month)
  const rolling = (days: number) => {
    const from = hour + hourMs - days * dayMs
    return { current: period(from, nowMs), before: period(from - days * dayMs, from) }
  }
  return {
    today: { current: period(today, nowMs), before: period(today - dayMs, minute - dayMs) },
    last_7_days: rolling(7),
    last_30_days: rolling(30),
    month_to_date: {
      current: period(month, nowMs),
      before: period(monthBefore, monthElapsed)
    }
  }
}

/** The hours that the comparisons are made of. */
export function hoursNeeded(comparisons: Record<PeriodName, Comparison>): Period {
  const starts = Object.values(comparisons).map(({ before }) => before.from.getTime())
  const ends = Object.values(comparisons).map(({ current }) => current.to.getTime())
  return period(Math.min(...starts), Math.max(...ends))
}

/** The part of an hour in which the period before today ends. */
export function minutesNeeded({ today }: Record<PeriodName, Comparison>): Period {
  const end = today.before.to.getTime()
  return period(floorTo(end, hourMs), end)
}

/**
 * What was counted in a period. The rows of an hour that the period ends in count whole when the hour is still running,
 * and by their minutes otherwise.
 */
export function countsIn(
  { from, to }: Period,
  hours: readonly TimedCounts[],
  minutes: readonly TimedCounts[],
  now: Date
): Counts {
  const isRunning = to.getTime() === now.getTime()
  const end = isRunning ? to.getTime() : floorTo(to.getTime(), hourMs)
  const counts = { ...noCounts }
  for (const row of hours) {
    const at = row.startsAt.getTime()
    if (at >= from.getTime() && at < end) addCounts(counts, row.counts)
  }
  if (isRunning) return counts
  for (const row of minutes) {
    const at = row.startsAt.getTime()
    if (at >= end && at < to.getTime()) addCounts(counts, row.counts)
  }
  return counts
}

/** The share of calls that were answered well; null without calls. */
export function successRatioOf(counts: Counts): number | null {
  const calls = callsOf(counts)
  return calls === 0 ? null : counts.ok / calls
}

/** 0.5 is half as much again; null when there is nothing to compare with. */
export function changeOf(current: number, before: number): number | null {
  return before === 0 ? null : (current - before) / before
}

function period(from: number, to: number): Period {
  return { from: new Date(from), to: new Date(to) }
}

function roundTo(value: number, unit: number): number {
  return Math.round(value / unit) * unit
}
