// `npm run bench`: Sluice beside what a user would pick instead, and beside what it is built on, on this machine, now.
// Contestants take turns, every figure is a median of rounds with its range, and only ratios within one run mean anything
// on another machine.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { projectRoot } from '../scripts/config.ts'
import { checkOut, comparisonOf, type OtherTree } from './compare.ts'
import type { Contestant } from './contestants/contestant.ts'

import { installed } from './contestants/installed.ts'
import { bareProxy, fastifyHttpProxy, floor } from './contestants/node-contestant.ts'
import { createSluice } from './contestants/sluice.ts'
import { createBenchDatabases } from './database.ts'
import { describeMachine, type Machine } from './machine.ts'
import { runMatrixCommand } from './matrix/command.ts'
import { type Options, readOptions, usageOf } from './options.ts'
import { stopPrograms } from './program.ts'
import { pageOf } from './report/page.ts'
import { type Report, recordOf } from './report/record.ts'
import { tableOf } from './report/table.ts'
import { runScenario, runScenarioAnew, type ScenarioResult } from './rounds.ts'
import { scenarios } from './scenarios.ts'
import { createScratch, type Scratch } from './scratch.ts'
import { judge, sentenceOf } from './targets.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

/** Above it, another process takes enough of two cores to be seen in the figures. */
const quietLoadAverage = 0.5
const exitCodeOfInterrupt = 130
const args = process.argv.slice(2)
const resultsFolder = join(import.meta.dirname, 'results')

const databases = createBenchDatabases((activity) => say(`  database: ${activity}`))
const sluice = createSluice({
  name: 'sluice',
  description: 'the gateway with everything on: keys, buckets, quotas, scan, metrics, usage',
  root: projectRoot,
  openDatabase: databases.create
})
const contestants: readonly Contestant[] = [
  floor,
  ...installed,
  sluice,
  bareProxy,
  fastifyHttpProxy
]
const choice = {
  scenarios: scenarios.map(({ name }) => name),
  usualScenarios: scenarios.filter(({ isUsual }) => isUsual).map(({ name }) => name),
  contestants: contestants.map(({ name }) => name)
}

async function runContestants(options: Options, scratch: Scratch): Promise<void> {
  const machine = describeMachine()
  const entered = contestants.filter(({ name }) => options.contestants.includes(name))
  say(headingOf(machine, options))
  const results = await runScenarios(options, entered, runScenario, scratch, (result) => {
    say(`\n${tableOf(result, sluice.name)}`)
  })
  const verdicts = judge(results)
  if (verdicts.length > 0) say('')
  for (const verdict of verdicts) say(sentenceOf(verdict))
  const report: Report = {
    finishedAt: new Date(),
    command: ['npm run bench', ...(args.length === 0 ? [] : ['--', ...args])].join(' '),
    machine,
    rounds: options.rounds,
    measuredSeconds: options.measuredSeconds,
    contestants: entered.map((one) => ({
      name: one.name,
      description: one.description,
      version: one.version()
    })),
    results,
    verdicts,
    base: sluice.name
  }
  const { finishedAt } = report
  const paths = writeResults(finishedAt, recordOf(report), pageOf(report), options.resultsFolder)
  say(`\nevery round: ${paths.json}\ncharts: ${paths.html}`)
}

async function runComparison(ref: string, options: Options, scratch: Scratch): Promise<void> {
  let other: OtherTree | null = null
  try {
    other = checkOut(ref, scratch.folder)
    const theirs = createSluice({
      name: other.commit,
      description: `the gateway of ${ref}`,
      root: other.root,
      openDatabase: databases.create
    })
    say(headingOf(describeMachine(), options))
    say(`this tree against ${other.commit} (${ref})`)
    if (!other.hasOurDependencies) {
      say('package.json differs: BOTH run with the dependencies of this tree')
    }
    await runScenarios(options, [sluice, theirs], runScenarioAnew, scratch, (result) => {
      say(`\n${tableOf(result, theirs.name)}`)
      say(`\n${comparisonOf(result, sluice.name, theirs.name)}`)
    })
  } finally {
    other?.remove()
  }
}

async function runScenarios(
  options: Options,
  entered: readonly Contestant[],
  run: typeof runScenario,
  scratch: Scratch,
  onResult: (result: ScenarioResult) => void
): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = []
  for (const scenario of scenarios.filter(({ name }) => options.scenarios.includes(name))) {
    say(`\n${scenario.name}: ${scenario.description}`)
    const folder = join(scratch.folder, scenario.name)
    const result = await run(scenario, entered, options, { folder, say })
    results.push(result)
    onResult(result)
  }
  return results
}

function headingOf(machine: Machine, { rounds, measuredSeconds }: Options): string {
  const placement =
    machine.unpinnedBecause === null
      ? 'contestant on core 0 (of several threads: on all but the last), load generator and upstream on the rest'
      : `NOT pinned to cores: ${machine.unpinnedBecause}. Expect more noise`
  const neighbours =
    machine.loadAverage < quietLoadAverage
      ? []
      : [`the machine is BUSY with something else (load average ${machine.loadAverage.toFixed(1)})`]
  return [
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}, Node ${machine.node}`,
    placement,
    ...neighbours,
    `${rounds} rounds of ${measuredSeconds} s each, median (range)`
  ].join('\n')
}

/** @param folder null is the usual one. */
function writeResults(
  finishedAt: Date,
  record: object,
  page: string,
  folder: string | null
): { json: string; html: string } {
  const path = join(folder ?? resultsFolder, finishedAt.toISOString().replaceAll(':', '-'))
  const [json, html] = [`${path}.json`, `${path}.html`]
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(json, `${JSON.stringify(record, null, 2)}\n`)
  writeFileSync(html, page)
  return { json, html }
}

function showPeers(): void {
  for (const { name, description, findObstacle, version } of contestants) {
    const state = findObstacle() ?? `found${version() === null ? '' : `: ${version()}`}`
    say(`${name.padEnd(20)} ${state}\n${' '.repeat(20)} ${description}`)
  }
  const missing = installed.filter((one) => one.findObstacle() !== null)
  const packages = [...new Set(missing.flatMap((one) => one.packages))]
  if (packages.length > 0)
    say(`\nFor all of them, on Debian: apt-get install ${packages.join(' ')}`)
}

/** A signal only ends the programs: whoever waits for one of them then fails, and everything unwinds as after any failure. */
async function runUntilSignal(work: (scratch: Scratch) => Promise<void>): Promise<void> {
  let isInterrupted = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      isInterrupted = true
      void stopPrograms()
    })
  }
  const scratch = createScratch()
  try {
    await work(scratch)
  } catch (error) {
    if (isInterrupted) process.exitCode = exitCodeOfInterrupt
    else {
      process.stderr.write(`${(error as Error).message}\n`)
      process.exitCode = 1
    }
  } finally {
    await stopPrograms()
    await databases.stop()
    scratch.remove()
  }
}

function readOptionsOrExplain(): Options | null {
  try {
    return readOptions(args, choice)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usageOf(choice)}\n`)
    return null
  }
}

async function main(): Promise<void> {
  if (args[0] === 'matrix') {
    const deps = { gateway: sluice, say, runUntilSignal, writeResults }
    await runMatrixCommand(args.slice(1), deps)
    return
  }
  const options = readOptionsOrExplain()
  if (options === null) process.exitCode = 2
  else if (options.task === 'help') say(usageOf(choice))
  else if (options.task === 'peers') showPeers()
  else {
    const { compareWith } = options
    await runUntilSignal((scratch) =>
      compareWith === null
        ? runContestants(options, scratch)
        : runComparison(compareWith, options, scratch)
    )
  }
}

await main()
