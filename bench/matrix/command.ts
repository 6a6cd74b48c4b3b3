// `npm run bench -- matrix` from its command line to its files.
import type { Contestant } from '../contestants/contestant.ts'
import { describeMachine } from '../machine.ts'
import type { Scratch } from '../scratch.ts'
import { cases } from './cases.ts'
import { type MatrixOptions, matrixUsageOf, readMatrixOptions } from './command-line.ts'
import { runMatrix } from './matrix.ts'
import { type MatrixReport, matrixPageOf, matrixRecordOf, matrixTableOf } from './report.ts'

export interface MatrixCommandDeps {
  readonly gateway: Contestant
  readonly say: (line: string) => void
  /** Ends what was started, whatever happens; sets the exit code. */
  readonly runUntilSignal: (work: (scratch: Scratch) => Promise<void>) => Promise<void>
  /** Returns where they are. */
  readonly writeResults: (
    finishedAt: Date,
    record: object,
    page: string,
    folder: string | null
  ) => { json: string; html: string }
}

const names = cases.map(({ name }) => name)
const exitCodeOfWrongCommandLine = 2

export async function runMatrixCommand(
  args: readonly string[],
  deps: MatrixCommandDeps
): Promise<void> {
  let options: MatrixOptions
  try {
    options = readMatrixOptions(args, names)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${matrixUsageOf(names)}\n`)
    process.exitCode = exitCodeOfWrongCommandLine
    return
  }
  if (options.task === 'help') deps.say(matrixUsageOf(names))
  else await deps.runUntilSignal((scratch) => measure(options, scratch, deps))
}

async function measure(
  options: MatrixOptions,
  { folder }: Scratch,
  { gateway, say, writeResults }: MatrixCommandDeps
): Promise<void> {
  const { rounds, seconds, urls } = options
  const machine = describeMachine()
  // The origin alone: the path holds a key.
  const subject = urls[0] === undefined ? 'this tree' : new URL(urls[0]).origin
  say(`${machine.processor}, ${machine.cores} cores, ${machine.system}, Node ${machine.node}`)
  say(`autocannon against ${subject}, ${rounds} rounds of ${seconds} s each, median (range)`)
  const chosen = cases.filter(({ name }) => options.scenarios.includes(name))
  const result = await runMatrix(chosen, options, { gateway, folder, say })
  say(`\n${matrixTableOf(result)}`)
  const report: MatrixReport = {
    finishedAt: new Date(),
    command: commandOf(options, subject),
    machine,
    subject,
    rounds,
    seconds,
    result
  }
  const record = matrixRecordOf(report)
  const paths = writeResults(report.finishedAt, record, matrixPageOf(report), options.resultsFolder)
  say(`\nevery run: ${paths.json}\ncharts: ${paths.html}`)
}

function commandOf({ urls, scenarios, rounds, seconds }: MatrixOptions, subject: string): string {
  const words = ['npm run bench -- matrix']
  if (urls.length > 0) words.push(`--url ${subject}/api=<key>`)
  if (scenarios.length < names.length) {
    words.push(...scenarios.map((name) => `--scenario ${name}`))
  }
  return [...words, `--rounds ${rounds}`, `--seconds ${seconds}`].join(' ')
}
