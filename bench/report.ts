// What the measurements say: a table for people, and the same figures with every round for programs.
import type { Measurement } from './load.ts'
import type { Rounds } from './rounds.ts'
import type { Scenario, Target } from './scenarios.ts'
import { type Summary, summarize, summarizeRatios } from './statistics.ts'

export interface ScenarioResult {
  readonly scenario: Scenario
  readonly rounds: Rounds
}

const columns: readonly (readonly [title: string, width: number])[] = [
  ['contestant', -12],
  ['requests/s', 12],
  ['p50 ms', 9],
  ['p99 ms', 9],
  ['CPU µs/request', 22],
  ['core busy', 10],
  ['CPU ratio', 20]
]

/** The table of one scenario. Ratios are against `base`, per round. */
export function tableOf({ scenario, rounds }: ScenarioResult, base: string): string {
  const rows = [...rounds].map(([name, measurements]) =>
    rowOf(name, measurements, rounds.get(base))
  )
  return [
    `${scenario.name}: ${scenario.description}, ${scenario.connections} connections`,
    ...[columns.map(([title]) => title), ...rows].map((cells) => `  ${cells.map(pad).join(' ')}`)
  ].join('\n')
}

function rowOf(
  name: string,
  measurements: readonly Measurement[],
  base: readonly Measurement[] | undefined
): string[] {
  const median = (figureOf: (measurement: Measurement) => number) =>
    summarize(measurements.map(figureOf)).median
  const cpu = cpuOf(measurements)
  const baseCpu = base === undefined ? null : cpuOf(base)
  const busy = measurements.map((measurement) => measurement.cpuUtilization)
  return [
    name,
    Math.round(median((measurement) => measurement.requestsPerSecond)).toString(),
    (median((measurement) => measurement.p50Us) / 1000).toFixed(2),
    (median((measurement) => measurement.p99Us) / 1000).toFixed(2),
    cpu === null ? 'not told' : withRange(summarize(cpu), 1),
    isComplete(busy) ? `${Math.round(summarize(busy).median * 100)} %` : 'not told',
    cpu === null || baseCpu === null ? '' : withRange(summarizeRatios(cpu, baseCpu), 2)
  ]
}

/** Whether a target was met, in a sentence; null when its contestants were not measured. */
export function verdictOf(target: Target, results: readonly ScenarioResult[]): string | null {
  const rounds = results.find((result) => result.scenario.name === target.scenario)?.rounds
  const cpu = cpuOf(rounds?.get(target.contestant) ?? [])
  const againstCpu = cpuOf(rounds?.get(target.against) ?? [])
  if (cpu === null || againstCpu === null) return null
  const ratio = summarizeRatios(cpu, againstCpu)
  const verdict = ratio.median < target.times ? 'met' : 'MISSED'
  return `target ${verdict}: ${target.scenario}, CPU per request of ${target.contestant} is ${withRange(ratio, 2)} × ${target.against} (promised: under ${target.times} ×)`
}

/** For JSON: medians, ranges, and every round. */
export function figuresOf({ scenario, rounds }: ScenarioResult): object {
  const contestants = [...rounds].map(([name, measurements]) => {
    const summaryOf = (figure: keyof Measurement) => {
      const values = measurements.map((measurement) => measurement[figure])
      return isComplete(values) ? summarize(values) : null
    }
    return {
      name,
      requestsPerSecond: summaryOf('requestsPerSecond'),
      p50Us: summaryOf('p50Us'),
      p99Us: summaryOf('p99Us'),
      cpuUsPerRequest: summaryOf('cpuUsPerRequest'),
      cpuUtilization: summaryOf('cpuUtilization'),
      rounds: measurements
    }
  })
  return { scenario, contestants }
}

/** Null when the system did not tell, or nothing was measured. */
function cpuOf(measurements: readonly Measurement[]): number[] | null {
  const values = measurements.map((measurement) => measurement.cpuUsPerRequest)
  return values.length > 0 && isComplete(values) ? values : null
}

function isComplete(values: readonly (number | null)[]): values is number[] {
  return !values.includes(null)
}

function withRange({ median, min, max }: Summary, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

function pad(cell: string, column: number): string {
  const width = columns[column]?.[1] ?? 0
  return width < 0 ? cell.padEnd(-width) : cell.padStart(width)
}
