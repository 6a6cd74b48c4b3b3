// What the matrix found, as a table for the terminal, a record and a page.
import type { Machine } from '../machine.ts'
import { type Bar, barChart, escapeText } from '../report/chart.ts'
import { style } from '../report/page.ts'
import { align } from '../report/table.ts'
import { type Summary, summarize } from '../statistics.ts'
import type { RunResult } from './autocannon-run.ts'
import type { CrossCheck, Reading } from './cross-check.ts'
import type { CaseResult, MatrixResult } from './matrix.ts'

export interface MatrixReport {
  readonly finishedAt: Date
  readonly command: string
  readonly machine: Machine
  /** Whose figures they are: `this tree`, or the origin of a running gateway; never with its key. */
  readonly subject: string
  readonly rounds: number
  readonly seconds: number
  readonly result: MatrixResult
}

interface Column {
  readonly title: string
  readonly of: (run: RunResult) => number | null
  readonly format: (value: number) => string
  readonly hasRange?: boolean
}

const whole = (value: number) => Math.round(value).toLocaleString('en')
const milliseconds = (us: number) => (us / 1000).toFixed(2)
const rateOf = ({ answers, elapsedSeconds }: RunResult) => answers / elapsedSeconds

const columns: readonly Column[] = [
  { title: 'requests/s', of: rateOf, format: whole, hasRange: true },
  {
    title: 'MB/s down',
    of: ({ bytesPerSecond }) => bytesPerSecond / 1e6,
    format: (value) => value.toFixed(1)
  },
  { title: 'p50 ms', of: ({ latencyUs }) => latencyUs.p50, format: milliseconds },
  { title: 'p90 ms', of: ({ latencyUs }) => latencyUs.p90, format: milliseconds },
  { title: 'p99 ms', of: ({ latencyUs }) => latencyUs.p99, format: milliseconds, hasRange: true },
  { title: 'max ms', of: ({ latencyUs }) => latencyUs.max, format: milliseconds },
  {
    title: 'CPU µs/request',
    of: ({ cpuUs, answers }) => (cpuUs === null ? null : cpuUs / answers),
    format: (us) => us.toFixed(1),
    hasRange: true
  }
]

/** Null when a run did not tell. */
function summaryOf(runs: readonly RunResult[], { of }: Column): Summary | null {
  const values = runs.map(of).filter((value) => value !== null)
  return values.length === runs.length ? summarize(values) : null
}

function cellOf(summary: Summary | null, { format, hasRange }: Column): string {
  if (summary === null) return 'not told'
  const { median, min, max } = summary
  return hasRange && min !== max
    ? `${format(median)} (${format(min)}–${format(max)})`
    : format(median)
}

function rowsOf(cases: readonly CaseResult[]): string[][] {
  const titles = ['case', 'connections', ...columns.map(({ title }) => title)]
  const rows = cases.map(({ asked, runs }) => [
    asked.name,
    String(asked.connections),
    ...columns.map((column) => cellOf(summaryOf(runs, column), column))
  ])
  return [titles, ...rows]
}

const readingColumns = ['client', 'requests/s', 'p50 ms', 'p99 ms', 'CPU µs/request']

function readingRow(client: string, reading: Reading): string[] {
  const { requestsPerSecond, p50Us, p99Us, cpuUsPerRequest } = reading
  const cpu = cpuUsPerRequest === null ? 'not told' : cpuUsPerRequest.toFixed(1)
  return [client, whole(requestsPerSecond), milliseconds(p50Us), milliseconds(p99Us), cpu]
}

function checkRows({ saturated, paced, atRate }: CrossCheck): string[][] {
  return [
    readingColumns,
    readingRow('autocannon, as many as are answered', saturated.autocannon),
    readingRow('open-loop generator, the same', saturated.generator),
    readingRow(`autocannon, ${whole(atRate)} a second`, paced.autocannon),
    readingRow(`open-loop generator, ${whole(atRate)} a second`, paced.generator)
  ]
}

/** What the comparison comes to, in a sentence; null where the gateway's processor time is not known. */
export function agreementOf({ saturated, paced }: CrossCheck): string | null {
  const ratios = [saturated, paced].map(({ autocannon, generator }) =>
    autocannon.cpuUsPerRequest === null || generator.cpuUsPerRequest === null
      ? null
      : autocannon.cpuUsPerRequest / generator.cpuUsPerRequest
  )
  const [full, half] = ratios
  if (typeof full !== 'number' || typeof half !== 'number') return null
  return `The gateway spends ${full.toFixed(2)} times as much on a request of autocannon's as on one of the generator's at saturation, ${half.toFixed(2)} times at the fixed rate.`
}

export function matrixTableOf({ cases, leftOut, check }: MatrixResult): string {
  const lines = align(rowsOf(cases))
  for (const [name, reason] of leftOut) lines.push(`  ${name}: left out, ${reason}`)
  if (check !== null) {
    lines.push(
      '',
      '  checked against the open-loop generator, case single',
      ...align(checkRows(check))
    )
    const agreement = agreementOf(check)
    if (agreement !== null) lines.push(`  ${agreement}`)
  }
  return lines.join('\n')
}

export function matrixRecordOf({ finishedAt, result, ...rest }: MatrixReport): object {
  return {
    kind: 'matrix',
    finishedAt: finishedAt.toISOString(),
    ...rest,
    cases: result.cases.map(({ asked: { body, ...asked }, runs }) => ({
      ...asked,
      bodyBytes: body.length,
      runs: runs.map(({ tables: _tables, ...run }) => run)
    })),
    leftOut: Object.fromEntries(result.leftOut),
    check: result.check
  }
}

export function matrixPageOf(report: MatrixReport): string {
  const { finishedAt, command, machine, subject, rounds, seconds, result } = report
  const charts = columns
    .filter(({ hasRange }) => hasRange)
    .map((column) => chartOf(column, result.cases))
  const day = finishedAt.toISOString().slice(0, 10)
  const left = [...result.leftOut].map(([name, why]) => `<li>${escapeText(`${name}: ${why}`)}</li>`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice bench, matrix, ${day}</title>
<style>${style}</style>
</head>
<body>
<h1>The matrix: ${escapeText(subject)}</h1>
<p>${escapeText(`${day} · autocannon on ${machine.processor}, ${machine.cores} cores, ${machine.system}, Node ${machine.node} · ${rounds} rounds of ${seconds} s: medians, with the range of the rounds`)}</p>
<p>Measured again by <code>${escapeText(command)}</code>. Only ratios within one run mean anything on another machine.</p>
<h2>Latency and throughput</h2>
${htmlTable(rowsOf(result.cases))}
${left.length === 0 ? '' : `<p>Left out:</p><ul>${left.join('')}</ul>`}
${charts.join('\n')}
${result.check === null ? '' : checkSection(result.check)}
</body>
</html>
`
}

function checkSection(check: CrossCheck): string {
  const agreement = agreementOf(check)
  return `<h2>Checked against the open-loop generator</h2>
${htmlTable(checkRows(check))}
${agreement === null ? '' : `<p>${escapeText(agreement)}</p>`}
<p>Rates differ where the client is the limit. At the fixed rate autocannon sends a second's requests as fast as they are answered and then pauses; the generator spreads them, and counts from when each fell due.</p>`
}

function chartOf(column: Column, cases: readonly CaseResult[]): string {
  const bars = cases.flatMap(({ asked, runs }): Bar[] => {
    const summary = summaryOf(runs, column)
    return summary === null ? [] : [{ label: asked.name, summary, isOurs: asked.name === 'single' }]
  })
  if (bars.length === 0) return ''
  return `<h3>${column.title}</h3>\n${barChart(column.title, bars, column.format)}`
}

function htmlTable([titles = [], ...rows]: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string) =>
    row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')
  return `<div class="scroll"><table><thead><tr>${cells(titles, 'th')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${cells(row, 'td')}</tr>`)
    .join('')}</tbody></table></div>`
}
