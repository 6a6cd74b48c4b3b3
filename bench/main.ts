// `npm run bench`: Sluice beside what it is built on, on this machine, now. Contestants take turns, every figure is a
// median of rounds with its range, and only ratios within one run mean anything on another machine.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bareProxy } from './contestants/bare-proxy.ts'
import type { Contestant } from './contestants/contestant.ts'
import { floor } from './contestants/floor.ts'
import { createSluice } from './contestants/sluice.ts'
import { createBenchDatabases } from './database.ts'
import { describeMachine, type Machine } from './machine.ts'
import { stopPrograms } from './program.ts'
import { figuresOf, type ScenarioResult, tableOf, verdictOf } from './report.ts'
import { runScenario } from './rounds.ts'
import { type Scenario, scenarios, targets } from './scenarios.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

const databases = createBenchDatabases((activity) => say(`  database: ${activity}`))
const contestants: readonly Contestant[] = [floor, bareProxy, createSluice(databases.create)]
/** Above it, another process takes enough of two cores to be seen in the figures. */
const quietLoadAverage = 0.5
/** Ratios are against this contestant. */
const base = bareProxy.name

const usage = `npm run bench -- [options]
  --scenario <name>     only this one, may be repeated: ${namesOf(scenarios)}
  --contestant <name>   only this one, may be repeated: ${namesOf(contestants)}
  --rounds <n>          rounds of each scenario (3)
  --seconds <n>         measured seconds of each round (4)

Micro-benchmarks of one stage: node bench/stages/<stage>.ts`

interface Plan {
  readonly scenarios: readonly Scenario[]
  readonly contestants: readonly Contestant[]
  readonly rounds: number
  readonly warmUpSeconds: number
  readonly measuredSeconds: number
}

/** Throws TypeError when the command line is wrong. */
function readPlan(): Plan {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', multiple: true, default: [] },
      contestant: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' }
    }
  })
  return {
    scenarios: pick(scenarios, values.scenario, 'scenario'),
    contestants: pick(contestants, values.contestant, 'contestant'),
    rounds: positive(values.rounds, '--rounds'),
    warmUpSeconds: 3,
    measuredSeconds: positive(values.seconds, '--seconds')
  }
}

interface Named {
  readonly name: string
}

/** Those that are named; all when none is. */
function pick<T extends Named>(all: readonly T[], names: readonly string[], kind: string) {
  const unknown = names.find((name) => !all.some((one) => one.name === name))
  if (unknown !== undefined) {
    throw new TypeError(`there is no ${kind} called ${unknown}, only ${namesOf(all)}`)
  }
  return names.length === 0 ? all : all.filter((one) => names.includes(one.name))
}

function namesOf(all: readonly Named[]): string {
  return all.map(({ name }) => name).join(', ')
}

function positive(text: string, name: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new TypeError(`${name} takes a number from 1 to 9999`)
  return Number(text)
}

async function run(plan: Plan): Promise<void> {
  const machine = describeMachine()
  say(headingOf(machine, plan))
  const results: ScenarioResult[] = []
  for (const scenario of plan.scenarios) {
    say(`\n${scenario.name}`)
    const result = { scenario, rounds: await runScenario(scenario, plan.contestants, plan, say) }
    results.push(result)
    say(`\n${tableOf(result, base)}`)
  }
  for (const target of targets) {
    const verdict = verdictOf(target, results)
    if (verdict !== null) say(`\n${verdict}`)
  }
  say(`\nevery round: ${writeResults(machine, plan, results)}`)
}

function headingOf(machine: Machine, plan: Plan): string {
  const placement =
    machine.unpinnedBecause === null
      ? 'contestant pinned to core 0, load generator and upstream to core 1'
      : `NOT pinned to cores: ${machine.unpinnedBecause}. Expect more noise`
  const neighbours =
    machine.loadAverage < quietLoadAverage
      ? []
      : [`the machine is BUSY with something else (load average ${machine.loadAverage.toFixed(1)})`]
  return [
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}, Node ${machine.node}`,
    placement,
    ...neighbours,
    `${plan.rounds} rounds of ${plan.measuredSeconds} s each, median (range); CPU ratio per round against ${base}`
  ].join('\n')
}

/** Returns the path of the file. */
function writeResults(machine: Machine, plan: Plan, results: readonly ScenarioResult[]): string {
  const finishedAt = new Date().toISOString()
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${finishedAt.replaceAll(':', '-')}.json`)
  const { rounds, warmUpSeconds, measuredSeconds } = plan
  const content = {
    finishedAt,
    machine,
    plan: { rounds, warmUpSeconds, measuredSeconds },
    contestants: plan.contestants.map(({ name, description }) => ({ name, description })),
    scenarios: results.map(figuresOf)
  }
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`)
  return path
}

function readPlanOrExplain(): Plan | null {
  try {
    return readPlan()
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}\n`)
    return null
  }
}

/** A signal only ends the programs: whoever waits for one of them then fails, and everything unwinds as after any failure. */
async function runUntilSignal(plan: Plan): Promise<void> {
  let isInterrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isInterrupted = true
      void stopPrograms()
    })
  }
  try {
    await run(plan)
  } catch (error) {
    if (!isInterrupted) throw error
    process.exitCode = 130
  } finally {
    await stopPrograms()
    await databases.stop()
  }
}

const plan = readPlanOrExplain()
if (plan === null) process.exitCode = 2
else await runUntilSignal(plan)
