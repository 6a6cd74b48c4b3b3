// From the words of a question (from, to, step, time zone) to the steps that are summed: aligned to whole steps, no more
// of them than a chart can show, and never beyond what the tables still hold. What cannot be answered is refused with the
// step that can.
import { durations } from '../config.ts'
import { Failure } from '../errors.ts'
import { isTimeZone, zoneDayBounds } from './zone-days.ts'

export const stepNames = ['1m', '1h', '1d'] as const
export type Step = (typeof stepNames)[number]

export const pointsMax = 1500

const minuteMs = 60_000
const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

export const stepMs: Readonly<Record<Step, number>> = { '1m': minuteMs, '1h': hourMs, '1d': dayMs }
const retentionMs: Readonly<Record<Step, number>> = {
  '1m': durations.usageMinutes,
  '1h': durations.usageHours,
  '1d': durations.usageDays
}
const retentionWords: Readonly<Record<Step, string>> = {
  '1m': '48 hours',
  '1h': '90 days',
  '1d': '2 years'
}

/** The words of a question. Moments are RFC 3339. */
export interface RangeQuery {
  from?: string
  to?: string
  step?: Step
  time_zone?: string
}

export interface TimeRange {
  step: Step
  /** The table whose rows are added up: that of the step, but hours for the days of a time zone. */
  grain: Step
  /** The start of each step, and the end of the last. Milliseconds. */
  bounds: readonly number[]
  from: Date
  to: Date
}

/** Throws `validation_failed` for what the tables cannot answer. */
export function readTimeRange(query: RangeQuery, now: Date): TimeRange {
  const nowMs = now.getTime()
  const askedTo = query.to === undefined ? nowMs : Math.min(readMoment('to', query.to), nowMs)
  const from = query.from === undefined ? askedTo - dayMs : readMoment('from', query.from)
  if (from >= askedTo) {
    throw refusal(
      'from',
      query.from !== undefined && from >= nowMs ? 'must be past' : 'must be before `to`'
    )
  }
  if (query.time_zone !== undefined) return inZone(query.time_zone, from, askedTo, query.step, now)
  const step = query.step ?? finestStep(from, askedTo, nowMs)
  checkStep(step, from, askedTo, nowMs)
  const ms = stepMs[step]
  const first = floorTo(from, ms)
  const count = pointsOf(from, askedTo, step)
  return rangeOf(
    step,
    step,
    Array.from({ length: count + 1 }, (_, place) => first + place * ms)
  )
}

/** The start of the step of this length that holds a moment. UTC. */
export function floorTo(momentMs: number, ms: number): number {
  return Math.floor(momentMs / ms) * ms
}

function readMoment(name: string, text: string): number {
  const ms = Date.parse(text)
  // The schema has judged the form; a day such as 02-31 passes it.
  if (Number.isNaN(ms)) throw refusal(name, 'is no day of the calendar')
  return ms
}

function inZone(
  zone: string,
  from: number,
  to: number,
  step: Step | undefined,
  now: Date
): TimeRange {
  if (step !== undefined && step !== '1d') {
    throw refusal('time_zone', 'goes with step 1d only: minutes and hours are the same everywhere')
  }
  if (!isTimeZone(zone)) {
    throw refusal('time_zone', 'must be a name of the IANA time zone database, e.g. Europe/Berlin')
  }
  if (from < now.getTime() - retentionMs['1h']) {
    throw refusal(
      'time_zone',
      `days of a time zone are added up from hours, which are kept for ${retentionWords['1h']}: ask for a later \`from\`, or for UTC days without time_zone`
    )
  }
  return rangeOf('1d', '1h', zoneDayBounds(zone, from, to))
}

function rangeOf(step: Step, grain: Step, bounds: readonly number[]): TimeRange {
  const [first, last] = [bounds[0], bounds.at(-1)]
  if (first === undefined || last === undefined) throw new Error('a range without bounds')
  return { step, grain, bounds, from: new Date(first), to: new Date(last) }
}

function finestStep(from: number, to: number, now: number): Step {
  const fitting = stepNames.find((step) => fits(step, from, to, now))
  if (fitting !== undefined) return fitting
  throw refusal('from', whyNot('1d', from, to, now))
}

function checkStep(step: Step, from: number, to: number, now: number): void {
  if (fits(step, from, to, now)) return
  const fitting = stepNames.find((other) => fits(other, from, to, now))
  const advice = fitting === undefined ? 'no step fits: ask for less' : `step ${fitting} fits`
  throw refusal('step', `${whyNot(step, from, to, now)}; ${advice}`)
}

function fits(step: Step, from: number, to: number, now: number): boolean {
  return isKept(step, from, now) && pointsOf(from, to, step) <= pointsMax
}

function whyNot(step: Step, from: number, to: number, now: number): string {
  return isKept(step, from, now)
    ? `${pointsOf(from, to, step)} points of ${step} are more than ${pointsMax}`
    : `points of ${step} are kept for ${retentionWords[step]}, and \`from\` is before that`
}

function isKept(step: Step, from: number, now: number): boolean {
  return from >= now - retentionMs[step]
}

function pointsOf(from: number, to: number, step: Step): number {
  const ms = stepMs[step]
  return Math.ceil(to / ms) - Math.floor(from / ms)
}

function refusal(field: string, detail: string): Failure {
  return new Failure('validation_failed', {
    errors: [{ in: 'query', pointer: `#/${field}`, detail }]
  })
}
