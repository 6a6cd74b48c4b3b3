// The results as one HTML page that needs nothing from anywhere: styles and charts are in it, and it has no script.
import type { Figures } from '../measurement.ts'
import type { ScenarioResult } from '../rounds.ts'
import { type Series, series } from '../scenarios.ts'
import { sentenceOf } from '../targets.ts'
import { type Bar, barChart, escapeText, type Line, lineChart } from './chart.ts'
import { cellOf, columnsOf, cpuRatioOf, ratioCellOf, summaryOf } from './figures.ts'
import type { Report } from './record.ts'

/** Of every page of the bench. */
export const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6672; --line: #d9dee4; --ground: #fff; --bar: #a9b6c4; --ours: #0b6e99; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa5b1; --line: #343b43; --ground: #14171a; --bar: #4d5966; --ours: #4db3de; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; background: var(--ground); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.75rem 0 .25rem; } h3 { font-size: .95rem; margin: 1.5rem 0 .5rem; }
p, li, dd { color: var(--soft); margin: .25rem 0; } ul { padding-left: 1.1rem; } code { font: 13px/1.4 ui-monospace, monospace; color: var(--ink); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0; } dt { font-weight: 600; } dd { margin: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .75rem 0; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); } th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr.ours td { font-weight: 600; } .missed { color: #c0392b; font-weight: 600; } .met { color: #1e8449; font-weight: 600; }
svg { width: 100%; max-width: 720px; height: auto; display: block; font-size: 12.5px; } svg text { fill: var(--ink); } svg text.strong { font-weight: 600; }
.bar { fill: var(--bar); } rect.ours, circle.ours { fill: var(--ours); } circle.other { fill: var(--bar); }
.range { stroke: var(--ink); stroke-width: 1.2; fill: none; opacity: .65; } .grid { stroke: var(--line); fill: none; }
.line { fill: none; stroke: var(--bar); stroke-width: 2; } .line.ours { stroke: var(--ours); stroke-width: 2.5; }
`

const charted: readonly { readonly figure: keyof Figures; readonly title: string }[] = [
  { figure: 'cpuUsPerRequest', title: 'Processor time per request, µs: less is better' },
  { figure: 'requestsPerSecond', title: 'Requests per second at saturation: more is better' },
  { figure: 'addedP99Us', title: 'Added to the p99 at a fixed rate, ms: less is better' },
  { figure: 'floodP99Ratio', title: 'The p99 in the flood, against without it: 1 is best' }
]

export function pageOf(report: Report): string {
  const { machine, base, results } = report
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice bench, ${report.finishedAt.toISOString().slice(0, 10)}</title>
<style>${style}</style>
</head>
<body>
<h1>Sluice, side by side</h1>
<p>${escapeText(describeRun(report))}</p>
<p>Measured again by <code>${escapeText(report.command)}</code>. Only ratios within one run mean anything on another machine.</p>
${verdictsOf(report)}
${results.map((result) => sectionOf(result, base)).join('\n')}
${series.map((one) => seriesSection(one, results, base)).join('\n')}
<h2>How it was measured</h2>
${methodOf(report)}
<h2>The machine</h2>
<dl>${Object.entries({ ...machine, versions: Object.entries(machine.versions).flat().join(' ') })
    .map(([name, value]) => `<dt>${escapeText(name)}</dt><dd>${escapeText(String(value))}</dd>`)
    .join('')}</dl>
</body>
</html>
`
}

function describeRun({ finishedAt, machine, rounds, measuredSeconds }: Report): string {
  return `${finishedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC · ${machine.processor}, ${machine.cores} cores, ${machine.system}, Node ${machine.node} · commit ${machine.commit ?? 'unknown'} · ${rounds} rounds of ${measuredSeconds} s: medians, with the range of the rounds`
}

function verdictsOf({ verdicts }: Report): string {
  if (verdicts.length === 0) return ''
  const items = verdicts.map((verdict) => {
    const [word, ...rest] = sentenceOf(verdict).split(':')
    const kind = verdict.isMet ? 'met' : 'missed'
    return `<li><span class="${kind}">${word}</span>:${escapeText(rest.join(':'))}</li>`
  })
  return `<h2>What is promised</h2>\n<ul>${items.join('\n')}</ul>`
}

function sectionOf(result: ScenarioResult, base: string): string {
  const { scenario, absent } = result
  const columns = columnsOf(scenario)
  const charts = charted.map(({ figure, title }) => {
    const column = columns.find((one) => one.figure === figure)
    const bars = column === undefined ? [] : barsOf(result, figure, base)
    const format = column?.format ?? String
    return bars.length === 0 ? '' : `<h3>${title}</h3>\n${barChart(title, bars, format)}`
  })
  const left = [...absent].map(([name, reason]) => `<li>${escapeText(`${name} ${reason}`)}</li>`)
  return `<h2>${escapeText(scenario.name)}</h2>
<p>${escapeText(`${scenario.description}; ${scenario.connections} connections, ${scenario.threads} ${scenario.threads === 1 ? 'thread' : 'threads'}`)}</p>
${charts.join('\n')}
${tableOf(result, base)}
${left.length === 0 ? '' : `<p>Took no part:</p><ul>${left.join('')}</ul>`}`
}

/** From the best to the worst. */
function barsOf(result: ScenarioResult, figure: keyof Figures, base: string): Bar[] {
  const bars = [...result.rounds.keys()].flatMap((label): Bar[] => {
    const summary = summaryOf(result, label, figure)
    return summary === null ? [] : [{ label, summary, isOurs: label === base }]
  })
  const sign = figure === 'requestsPerSecond' ? -1 : 1
  return bars.sort((a, b) => sign * (a.summary.median - b.summary.median))
}

function tableOf(result: ScenarioResult, base: string): string {
  const columns = columnsOf(result.scenario)
  const titles = ['contestant', ...columns.map(({ title }) => title), `CPU, ${base} = 1`]
  const rows = [...result.rounds.keys()].map((name) => {
    const cells = [
      name,
      ...columns.map((column) => cellOf(summaryOf(result, name, column.figure), column)),
      ratioCellOf(cpuRatioOf(result, name, base))
    ]
    const kind = name === base ? ' class="ours"' : ''
    return `<tr${kind}>${cells.map((cell) => `<td>${escapeText(cell)}</td>`).join('')}</tr>`
  })
  return `<div class="scroll"><table>
<tr>${titles.map((title) => `<th>${escapeText(title)}</th>`).join('')}</tr>
${rows.join('\n')}
</table></div>`
}

function seriesSection(one: Series, results: readonly ScenarioResult[], base: string): string {
  const byName = new Map(results.map((result) => [result.scenario.name, result]))
  const measured = one.points.filter(({ scenario }) => byName.has(scenario))
  if (measured.length < 2) return ''
  const names = [...new Set(results.flatMap(({ rounds }) => [...rounds.keys()]))]
  const lines = names.flatMap((label): Line[] => {
    const points = measured.flatMap(({ at, scenario }) => {
      const result = byName.get(scenario)
      const summary = result === undefined ? null : summaryOf(result, label, 'cpuUsPerRequest')
      return summary === null ? [] : [{ at, summary }]
    })
    return points.length < 2 ? [] : [{ label, points, isOurs: label === base }]
  })
  if (lines.length === 0) return ''
  const title = `Processor time per request over the number of ${one.axis}, µs`
  const chart = lineChart(title, one.axis, lines, (us) => us.toFixed(0))
  return `<h2>Over the number of ${one.axis}</h2>\n<h3>${title}: flat is what is promised</h3>\n${chart}`
}

function methodOf({ machine, contestants }: Report): string {
  const placement =
    machine.unpinnedBecause === null
      ? 'The contestant has a core for each of its threads, as long as one is left; load generator and upstream share the rest.'
      : `Nothing is pinned to cores: ${machine.unpinnedBecause}. Expect more noise.`
  const who = contestants.map(
    ({ name, description, version }) =>
      `<dt>${escapeText(name)}</dt><dd>${escapeText(version === null ? description : `${description} (${version})`)}</dd>`
  )
  return `<ul>
<li>${escapeText(placement)}</li>
<li>Contestants take turns, every other round backwards. Each answers a good, an unknown and a limited key rightly before it is measured.</li>
<li>Processor time is user and system time of all processes of the contestant, from /proc, at saturation.</li>
<li>Latency is measured at a fixed rate, half of what the contestant managed, from the moment at which each request fell due. A tenth as many requests go to the upstream directly in the same seconds: “added” is the difference.</li>
<li>“cores” well under the number of threads means that the load was the limit, not the contestant. Memory is proportional (PSS), after the load.</li>
</ul>
<dl>${who.join('')}</dl>`
}
