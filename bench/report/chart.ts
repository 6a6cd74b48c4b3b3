// Charts as SVG text, drawn with the page's own colours so that they read in light and dark. Bars start at zero, and the
// range of the rounds is on each of them.
import type { Summary } from '../statistics.ts'

export interface Bar {
  readonly label: string
  readonly summary: Summary
  /** Drawn in the colour of emphasis. */
  readonly isOurs: boolean
}

export interface Line {
  readonly label: string
  readonly points: readonly { readonly at: number; readonly summary: Summary }[]
  readonly isOurs: boolean
}

const width = 720
const labelWidth = 150
const valueWidth = 150
const barHeight = 22
const barGap = 8
const plotWidth = width - labelWidth - valueWidth

/** Horizontal bars, in the order given; `format` writes the value beside each. */
export function barChart(
  title: string,
  bars: readonly Bar[],
  format: (value: number) => string
): string {
  const most = Math.max(...bars.map(({ summary }) => Math.max(summary.max, summary.median)), 1e-9)
  const x = (value: number) => labelWidth + (Math.max(0, value) / most) * plotWidth
  const rows = bars.map(({ label, summary, isOurs }, place) => {
    const top = place * (barHeight + barGap)
    const middle = top + barHeight / 2
    const { median, min, max } = summary
    return [
      text(labelWidth - 10, middle, label, 'end', isOurs),
      `<rect class="${isOurs ? 'ours' : 'bar'}" x="${labelWidth}" y="${top}" width="${round(x(median) - labelWidth)}" height="${barHeight}" rx="3"><title>${escapeText(`${label}: ${format(median)} (${format(min)}–${format(max)})`)}</title></rect>`,
      `<path class="range" d="M${round(x(min))} ${middle}H${round(x(max))}M${round(x(min))} ${middle - 4}v8M${round(x(max))} ${middle - 4}v8"/>`,
      text(round(x(Math.max(median, max))) + 10, middle, format(median), 'start', isOurs)
    ].join('')
  })
  return svg(title, bars.length * (barHeight + barGap) - barGap, rows.join('\n'))
}

const lineHeight = 200
const lineFoot = 34

/** Lines over an axis of few places, evenly spaced; `format` writes the values of the vertical axis. */
export function lineChart(
  title: string,
  axis: string,
  lines: readonly Line[],
  format: (value: number) => string
): string {
  const places = [...new Set(lines.flatMap(({ points }) => points.map(({ at }) => at)))].sort(
    (a, b) => a - b
  )
  const all = lines.flatMap(({ points }) => points.map(({ summary }) => summary.max))
  const most = Math.max(...all, 1e-9) * 1.05
  const left = 60
  const right = width - valueWidth - 20
  const x = (at: number) =>
    round(left + (places.indexOf(at) / Math.max(1, places.length - 1)) * (right - left))
  const y = (value: number) => round(lineHeight - (value / most) * lineHeight)
  const grid = [0, 0.5, 1].map((part) => {
    const value = (most / 1.05) * part
    return `<path class="grid" d="M${left} ${y(value)}H${right}"/>${text(left - 8, y(value), format(value), 'end', false)}`
  })
  const ticks = places.map((at) =>
    text(x(at), lineHeight + 16, at.toLocaleString('en'), 'middle', false)
  )
  const name = text((left + right) / 2, lineHeight + lineFoot, axis, 'middle', false)
  const tops = spread(lines.map(({ points }) => y(points.at(-1)?.summary.median ?? 0)))
  const drawn = lines.map((line, place) => drawLine(line, x, y, right, tops[place] as number))
  return svg(title, lineHeight + lineFoot + 8, [...grid, ...ticks, name, ...drawn].join('\n'))
}

function drawLine(
  { label, points, isOurs }: Line,
  x: (at: number) => number,
  y: (value: number) => number,
  right: number,
  labelTop: number
): string {
  const path = points.map(({ at, summary }, place) => {
    return `${place === 0 ? 'M' : 'L'}${x(at)} ${y(summary.median)}`
  })
  const ranges = points.map(({ at, summary }) => `M${x(at)} ${y(summary.min)}V${y(summary.max)}`)
  const kind = isOurs ? 'ours' : 'other'
  const dots = points.map(
    ({ at, summary }) => `<circle class="${kind}" cx="${x(at)}" cy="${y(summary.median)}" r="3"/>`
  )
  return `<path class="line ${kind}" d="${path.join('')}"/><path class="range" d="${ranges.join('')}"/>${dots.join('')}${text(right + 14, labelTop, label, 'start', isOurs)}`
}

/** Moves labels apart that would stand on each other. */
function spread(tops: readonly number[]): number[] {
  const apart = 15
  const order = tops.map((_, place) => place).sort((a, b) => (tops[a] ?? 0) - (tops[b] ?? 0))
  const moved = [...tops]
  let lowest = Number.NEGATIVE_INFINITY
  for (const place of order) {
    lowest = Math.max(tops[place] ?? 0, lowest + apart)
    moved[place] = lowest
  }
  return moved
}

function svg(title: string, height: number, content: string): string {
  return `<svg role="img" viewBox="0 -8 ${width} ${height + 16}"><title>${escapeText(title)}</title>\n${content}\n</svg>`
}

function text(x: number, y: number, words: string, anchor: string, isOurs: boolean): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" dominant-baseline="central"${isOurs ? ' class="strong"' : ''}>${escapeText(words)}</text>`
}

export function escapeText(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
