// The tables of the terminal.
import type { ScenarioResult } from '../rounds.ts'
import { cellOf, columnsOf, cpuRatioOf, ratioCellOf, summaryOf } from './figures.ts'

/** The table of one scenario. Ratios are against `base`, per round. */
export function tableOf(result: ScenarioResult, base: string): string {
  const { scenario, rounds, absent } = result
  const columns = columnsOf(scenario)
  const titles = ['contestant', ...columns.map(({ title }) => title), 'CPU ratio']
  const rows = [...rounds.keys()].map((name) => [
    name,
    ...columns.map((column) => cellOf(summaryOf(result, name, column.figure), column)),
    ratioCellOf(cpuRatioOf(result, name, base))
  ])
  return [
    `${scenario.name}: ${scenario.description}; ${scenario.connections} connections`,
    ...align([titles, ...rows]),
    ...[...absent].map(([name, reason]) => `  ${name}: ${reason}`)
  ].join('\n')
}

/** The first column to the left, the others to the right. */
export function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  )
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)
  return rows.map((row) => `  ${row.map(pad).join('  ')}`.trimEnd())
}
