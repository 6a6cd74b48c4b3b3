// What the project promises of its speed, as data: one figure, or the ratio of two, and its bounds.
import type { Figures } from './measurement.ts'
import type { ScenarioResult } from './rounds.ts'
import { type Summary, summarize, summarizeRatios } from './statistics.ts'

interface Measured {
  readonly scenario: string
  readonly contestant: string
}

export interface Target {
  readonly promise: string
  readonly figure: keyof Figures
  readonly of: Measured
  /** Null when the figure itself is bounded. */
  readonly over: Measured | null
  readonly least: number
  readonly most: number
}

const sluiceIn = (scenario: string): Measured => ({ scenario, contestant: 'sluice' })
const cpuOf = (promise: string, of: Measured, over: Measured, most: number, least = 0): Target => ({
  promise,
  figure: 'cpuUsPerRequest',
  of,
  over,
  least,
  most
})
const single = sluiceIn('single')
const constant = (promise: string, scenario: string): Target =>
  cpuOf(promise, sluiceIn(scenario), single, 1.1, 0.9)

export const targets: readonly Target[] = [
  cpuOf(
    'a call costs at most what it costs nginx with Lua, for the same job',
    single,
    { scenario: 'single', contestant: 'nginx-lua' },
    1
  ),
  cpuOf(
    'all features together cost less than 15 % of the proxy that has none',
    single,
    { scenario: 'single', contestant: 'bare-proxy' },
    1.15
  ),
  cpuOf('a refusal for its rate costs a third of a call', sluiceIn('limited'), single, 1 / 3),
  cpuOf('a refusal for its key costs a third of a call', sluiceIn('unknown-keys'), single, 1 / 3),
  {
    promise: 'at half of saturation, less than 1 ms is added to the p99',
    figure: 'addedP99Us',
    of: single,
    over: null,
    least: Number.NEGATIVE_INFINITY,
    most: 1000
  },
  {
    promise: 'a flood of unknown keys moves the p99 of good ones by less than 20 %',
    figure: 'floodP99Ratio',
    of: sluiceIn('flood'),
    over: null,
    least: 0,
    most: 1.2
  },
  constant('one connection costs no more than 64', 'connections-1'),
  constant('512 connections cost no more than 64', 'connections-512'),
  constant('two threads cost per call what one does', 'threads-2'),
  constant('four threads cost per call what one does', 'threads-4'),
  constant('10 keys cost what one does', 'keys-10'),
  constant('100,000 keys cost what one does', 'keys-100000')
]

export interface Verdict {
  readonly target: Target
  readonly isMet: boolean
  /** Of the rounds. */
  readonly value: Summary
}

/** Of those targets whose figures were measured. */
export function judge(results: readonly ScenarioResult[]): Verdict[] {
  return targets.flatMap((target) => {
    const values = valuesOf(target.of, target.figure, results)
    const bases = target.over === null ? null : valuesOf(target.over, target.figure, results)
    if (values === null || (target.over !== null && bases === null)) return []
    const value = bases === null ? summarize(values) : summarizeRatios(values, bases)
    const isMet = value.median >= target.least && value.median <= target.most
    return [{ target, isMet, value }]
  })
}

export function sentenceOf({ target, isMet, value }: Verdict): string {
  const { promise, over, least, most } = target
  const digits = over === null && most > 10 ? 0 : 2
  const show = (number: number) => number.toFixed(digits)
  const unit = target.figure.endsWith('Us') && over === null ? ' µs' : ' ×'
  const bounds = least > 0 ? `${show(least)} to ${show(most)}` : `at most ${show(most)}`
  const { median, min, max } = value
  return `${isMet ? 'met' : 'MISSED'}: ${promise}: ${show(median)}${unit} (${show(min)}–${show(max)}; promised ${bounds})`
}

function valuesOf(
  { scenario, contestant }: Measured,
  figure: keyof Figures,
  results: readonly ScenarioResult[]
): number[] | null {
  const rounds = results.find((result) => result.scenario.name === scenario)?.rounds.get(contestant)
  const values = rounds?.map((figures) => figures[figure]) ?? []
  return values.length > 0 && isComplete(values) ? values : null
}

function isComplete(values: readonly (number | null)[]): values is number[] {
  return !values.includes(null)
}
