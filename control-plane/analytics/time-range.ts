// From the words of a question (from, to, step, time zone) to the steps that are summed: aligned to whole steps, no more
// of them than a chart can show, and never beyond what the tables still hold. What cannot be answered is refused with the
// step that can.
import type { Config } from '../config.ts'
import { Failure } from '../errors.ts'
import { isTimeZone, zoneDayBounds } from './zone-days.ts'

export const stepNames = ['1m', '1h', '1d'] as const
export type Step = (typeof stepNames)[number]

export const pointsMax = 1500
/** Unless a step is asked for: six curves of so many points are all that a chart can show. */
export const groupedPointsUsual = 400

const minuteMs = 60_000
const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

export const stepMs: Readonly<Record<Step, number>> = { '1m': minuteMs, '1h': hourMs, '1d': dayMs }
const retentions = {
  '1m': 'usageMinutes',
  '1h': 'usageHours',
  '1d': 'usageDays'
} as const satisfies Record<Step, keyof Config['retentionMs']>

/** The words of a question. Moments are RFC 3339. */
export interface RangeQuery {
  from?: string
  to?: string
  step?: Step
  time_zone?: string
  group_by?: string
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

/** What the tables hold: everything since so long before now, by the step of time in which it is kept. */
export interface Kept {
  now: Date
  retentionMs: Config['retentionMs']
}

/** Throws `validation_failed` for what the tables cannot answer. */
export function readTimeRange(query: RangeQuery, kept: Kept): TimeRange {
  const nowMs = kept.now.getTime()
  const to = query.to === undefined ? nowMs : Math.min(readMoment('to', query.to), nowMs)
  const from = query.from === undefined ? to - dayMs : readMoment('from', query.from)
  if (from >= to) {
    throw refusal(
      'from',
      query.from !== undefined && from >= nowMs ? 'must be past' : 'must be before `to`'
    )
  }
  if (query.time_zone !== undefined) return inZone(query.time_zone, { from, to }, query.step, kept)
  const pointsUsual = query.group_by === undefined ? pointsMax : groupedPointsUsual
  const step = query.step ?? usualStep({ from, to }, kept, pointsUsual)
  checkStep(step, { from, to }, kept)
  const ms = stepMs[step]
  const first = floorTo(from, ms)
  const count = pointsOf(step, { from, to })
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

/** The first row of time that is kept. Questions begin there, and the sweep removes what is before. Milliseconds. */
export function firstKeptAt(grain: Step, { now, retentionMs }: Kept): number {
  return floorTo(now.getTime() - retentionMs[retentions[grain]], stepMs[grain])
}

/** Milliseconds; the end is not part of it. */
interface Asked {
  from: number
  to: number
}

function readMoment(name: string, text: string): number {
  // A leap second is a moment of RFC 3339 and none of Date: the second after it is what everybody else counts.
  const ms =
    Date.parse(text.replace(/:60(?=[.Zz+-]|$)/, ':59')) + (/:60(?:[.Zz+-]|$)/.test(text) ? 1000 : 0)
  // The schema has judged the form; a day such as 02-31 passes it.
  if (Number.isNaN(ms)) throw refusal(name, 'is no day of the calendar')
  return ms
}

function inZone(zone: string, { from, to }: Asked, step: Step | undefined, kept: Kept): TimeRange {
  if (step !== undefined && step !== '1d') {
    throw refusal('time_zone', 'goes with step 1d only: minutes and hours are the same everywhere')
  }
  if (!isTimeZone(zone)) {
    throw refusal('time_zone', 'must be a name of the IANA time zone database, e.g. Europe/Berlin')
  }
  const firstKept = firstKeptAt('1h', kept)
  const bounds = from < firstKept ? [] : zoneDayBounds(zone, from, to)
  // The day that holds `from` may have begun before what is kept: it would look like a quiet one.
  if (bounds[0] === undefined || bounds[0] < firstKept) {
    throw refusal(
      'time_zone',
      `days of a time zone are added up from hours, which are kept for ${retentionOf('1h', kept)}: ask for a later \`from\`, or for UTC days without time_zone`
    )
  }
  return rangeOf('1d', '1h', bounds)
}

function rangeOf(step: Step, grain: Step, bounds: readonly number[]): TimeRange {
  const [first, last] = [bounds[0], bounds.at(-1)]
  if (first === undefined || last === undefined) throw new Error('a range without bounds')
  return { step, grain, bounds, from: new Date(first), to: new Date(last) }
}

/** The finest with no more points than usual, else the coarsest. */
function usualStep(asked: Asked, kept: Kept, pointsUsual: number): Step {
  const fitting = stepNames.filter((step) => fits(step, asked, kept))
  const usual = fitting.find((step) => pointsOf(step, asked) <= pointsUsual) ?? fitting.at(-1)
  if (usual !== undefined) return usual
  throw refusal('from', whyNot('1d', asked, kept))
}

function checkStep(step: Step, asked: Asked, kept: Kept): void {
  if (fits(step, asked, kept)) return
  const fitting = stepNames.find((other) => fits(other, asked, kept))
  const advice = fitting === undefined ? 'no step fits: ask for less' : `step ${fitting} fits`
  throw refusal('step', `${whyNot(step, asked, kept)}; ${advice}`)
}

function fits(step: Step, asked: Asked, kept: Kept): boolean {
  return isKept(step, asked, kept) && pointsOf(step, asked) <= pointsMax
}

function whyNot(step: Step, asked: Asked, kept: Kept): string {
  return isKept(step, asked, kept)
    ? `${pointsOf(step, asked)} points of ${step} are more than ${pointsMax}`
    : `points of ${step} are kept for ${retentionOf(step, kept)}, and \`from\` is before that`
}

function isKept(step: Step, { from }: Asked, kept: Kept): boolean {
  return floorTo(from, stepMs[step]) >= firstKeptAt(step, kept)
}

/** `48 hours`, `90 days`. */
function retentionOf(step: Step, { retentionMs }: Kept): string {
  const ms = retentionMs[retentions[step]]
  return step === '1m' ? `${ms / stepMs['1h']} hours` : `${ms / dayMs} days`
}

function pointsOf(step: Step, { from, to }: Asked): number {
  const ms = stepMs[step]
  return Math.ceil(to / ms) - Math.floor(from / ms)
}

function refusal(field: string, detail: string): Failure {
  return new Failure('validation_failed', {
    errors: [{ in: 'query', pointer: `#/${field}`, detail }]
  })
}
