// The figures of a report, in the order in which a reader meets them: what each is called, and how it is written.
import type { Figures } from '../measurement.ts'
import type { ScenarioResult } from '../rounds.ts'
import type { Scenario } from '../scenarios.ts'
import { type Summary, summarize, summarizeRatios } from '../statistics.ts'

export interface Column {
  readonly figure: keyof Figures
  readonly title: string
  readonly format: (value: number) => string
  /** Whether the range of the rounds is shown. */
  readonly hasRange: boolean
}

const milliseconds = (us: number) => (us / 1000).toFixed(2)

const columns: readonly Column[] = [
  { figure: 'requestsPerSecond', title: 'requests/s', format: whole, hasRange: false },
  {
    figure: 'cpuUsPerRequest',
    title: 'CPU µs/request',
    format: (us) => us.toFixed(1),
    hasRange: true
  },
  { figure: 'coresBusy', title: 'cores', format: (cores) => cores.toFixed(2), hasRange: false },
  { figure: 'askedPerSecond', title: 'at req/s', format: whole, hasRange: false },
  { figure: 'p50Us', title: 'p50 ms', format: milliseconds, hasRange: false },
  { figure: 'p99Us', title: 'p99 ms', format: milliseconds, hasRange: false },
  { figure: 'addedP50Us', title: 'added p50', format: milliseconds, hasRange: false },
  { figure: 'addedP99Us', title: 'added p99', format: milliseconds, hasRange: true },
  {
    figure: 'pssBytes',
    title: 'memory MB',
    format: (bytes) => whole(bytes / 2 ** 20),
    hasRange: false
  }
]

const floodColumn: Column = {
  figure: 'floodP99Ratio',
  title: 'p99 in flood',
  format: (ratio) => `× ${ratio.toFixed(2)}`,
  hasRange: true
}

/** Those that mean something in the scenario. */
export function columnsOf({ hasFlood }: Scenario): readonly Column[] {
  return hasFlood ? [...columns, floodColumn] : columns
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** Median and range of a contestant's rounds; null when it was not measured. */
export function summaryOf(
  { rounds }: ScenarioResult,
  contestant: string,
  figure: keyof Figures
): Summary | null {
  const values = valuesOf(rounds.get(contestant) ?? [], figure)
  return values === null ? null : summarize(values)
}

/** Processor time per request against the base's, round by round; null when one of them was not measured. */
export function cpuRatioOf(
  { rounds }: ScenarioResult,
  contestant: string,
  base: string
): Summary | null {
  const values = valuesOf(rounds.get(contestant) ?? [], 'cpuUsPerRequest')
  const bases = valuesOf(rounds.get(base) ?? [], 'cpuUsPerRequest')
  return values === null || bases === null ? null : summarizeRatios(values, bases)
}

export function valuesOf(rounds: readonly Figures[], figure: keyof Figures): number[] | null {
  const values = rounds.map((figures) => figures[figure])
  return values.length > 0 && isComplete(values) ? values : null
}

function isComplete(values: readonly (number | null)[]): values is number[] {
  return !values.includes(null)
}

/** A cell: the median, and the range where it matters. */
export function cellOf(summary: Summary | null, { format, hasRange }: Column): string {
  if (summary === null) return 'not told'
  const { median, min, max } = summary
  return hasRange ? `${format(median)} (${format(min)}–${format(max)})` : format(median)
}

/** What a contestant costs in units of the base: 1.50 is half as much again. */
export function ratioCellOf(ratio: Summary | null): string {
  if (ratio === null) return ''
  const [median, min, max] = [ratio.median, ratio.min, ratio.max].map((value) => value.toFixed(2))
  return `${median} (${min}–${max})`
}
