// How long one run of a small piece of work takes. Samples are short enough that most of them fall between the
// interruptions of a busy machine; the fastest is what the work costs, the median says how noisy the machine was.
import { type Summary, summarize } from '../statistics.ts'

const sampleMs = 20
const samples = 50

/** Nanoseconds per run. `work` returns something that depends on all it did, so that nothing of it can be left out. */
export function time(work: () => number): Summary {
  let runs = 1
  while (elapsedMs(work, runs) < sampleMs) runs *= 2
  const perRunNs = Array.from({ length: samples }, () => (elapsedMs(work, runs) / runs) * 1e6)
  return summarize(perRunNs)
}

function elapsedMs(work: () => number, runs: number): number {
  const startedMs = performance.now()
  let sum = 0
  for (let run = 0; run < runs; run++) sum += work()
  const elapsed = performance.now() - startedMs
  if (Number.isNaN(sum)) throw new Error('the work gave no number')
  return elapsed
}

/** One line: name, and fastest and median run. */
export function printTime(name: string, summary: Summary): void {
  process.stdout.write(`${name.padEnd(56)} ${perRunOf(summary)}\n`)
}

/** One line: name, size, fastest and median run, and what that is per second. */
export function print(name: string, bytes: number, summary: Summary): void {
  const perRun = perRunOf(summary)
  const rate = `${Math.round((bytes / summary.min) * 1000)} MB/s`
  process.stdout.write(
    `${name.padEnd(44)} ${String(bytes).padStart(9)} B ${perRun.padEnd(32)} ${rate}\n`
  )
}

function perRunOf({ min, median }: Summary): string {
  return `${formatNs(min).padStart(10)} (median ${formatNs(median)})`
}

function formatNs(ns: number): string {
  return ns < 10_000 ? `${Math.round(ns)} ns` : `${(ns / 1000).toFixed(1)} µs`
}
