// One scenario: every contestant is started once, in front of the same upstream, looked at closely, and then measured in
// turn, round after round. They are all up at once so that a round takes seconds; those that are not being measured are
// idle. Every other round goes backwards, so that a machine that slowly warms up favours nobody.
//
// What is to be told apart by a few per cent is started anew for each round: two processes of the same code differ by that
// much for as long as they live (when they compiled what, and where it lies in memory), which is noise too.
import { join } from 'node:path'
import { newApiKey } from '../drizzle/api-key.ts'
import { findFreePort } from '../scripts/ports.ts'
import { checkJob } from './check.ts'
import type { Contestant, RunningContestant, Setup } from './contestants/contestant.ts'
import { placementOf } from './machine.ts'
import { type Figures, measure, type Target } from './measurement.ts'
import { memoryOf } from './memory.ts'
import { processTreeOf } from './process-tree.ts'
import { startNode } from './program.ts'
import { findMismatch, type Scenario } from './scenarios.ts'

export interface Pace {
  /** Each round measures every contestant once, so that a noisy minute hits all of them. */
  readonly rounds: number
  readonly measuredSeconds: number
  /** Of the open loop; null is half of what each contestant managed in its first round. */
  readonly requestsPerSecond: number | null
}

export interface ScenarioResult {
  readonly scenario: Scenario
  /** The figures of each round, by contestant. */
  readonly rounds: ReadonlyMap<string, readonly Figures[]>
  /** What each held before the first request, proportional bytes; null where the system does not tell. */
  readonly idleBytes: ReadonlyMap<string, number | null>
  /** Who took no part, and why. */
  readonly absent: ReadonlyMap<string, string>
}

export interface Surroundings {
  /** For what contestants need on disk. */
  readonly folder: string
  readonly say: (line: string) => void
}

interface Entrant extends Target {
  readonly contestant: Contestant
  readonly running: RunningContestant
}

/** Unknown keys that a flood has; some ten thousand a second are new to a gateway for the seconds that it lasts. */
const floodKeys = 50_000

export async function runScenario(
  scenario: Scenario,
  contestants: readonly Contestant[],
  pace: Pace,
  surroundings: Surroundings
): Promise<ScenarioResult> {
  const rounds = Array.from({ length: pace.rounds }, (_, index) => index + 1)
  return await runTogether(scenario, contestants, { ...pace, rounds }, surroundings)
}

/** All are started anew for every round, and asked at the same fixed rate: half of what the first one managed first. */
export async function runScenarioAnew(
  scenario: Scenario,
  contestants: readonly Contestant[],
  pace: Pace,
  surroundings: Surroundings
): Promise<ScenarioResult> {
  const results: ScenarioResult[] = []
  let { requestsPerSecond } = pace
  for (let round = 1; round <= pace.rounds; round++) {
    const now = { ...pace, rounds: [round], requestsPerSecond, hasOneRate: true }
    const result = await runTogether(scenario, contestants, now, surroundings)
    requestsPerSecond ??= [...result.rounds.values()][0]?.[0]?.askedPerSecond ?? null
    results.push(result)
  }
  const [first] = results as [ScenarioResult]
  const figuresOf = (name: string) => results.flatMap(({ rounds }) => rounds.get(name) ?? [])
  const rounds = new Map([...first.rounds.keys()].map((name) => [name, figuresOf(name)]))
  return { ...first, rounds }
}

interface Schedule extends Omit<Pace, 'rounds'> {
  /** Their numbers: even ones go backwards. */
  readonly rounds: readonly number[]
  readonly hasOneRate?: boolean
}

async function runTogether(
  scenario: Scenario,
  contestants: readonly Contestant[],
  schedule: Schedule,
  { folder, say }: Surroundings
): Promise<ScenarioResult> {
  const absent = new Map<string, string>()
  const upstreamPort = await findFreePort()
  const placement = placementOf(scenario.threads)
  const keys = Array.from({ length: scenario.ask === 'good' ? scenario.keys : 1 }, newApiKey)
  const setup = {
    upstreamPort,
    answerBytes: scenario.answerBytes,
    calls: scenario.calls,
    keys,
    limitedKey: newApiKey(),
    threads: scenario.threads,
    placement
  }
  const upstream = await startNode({
    file: 'upstream.ts',
    args: [upstreamPort, scenario.answerBytes, scenario.calls].map(String),
    cores: placement.load
  })
  const entrants: Entrant[] = []
  try {
    await upstream.firstMessage
    for (const contestant of contestants) {
      const reason = contestant.findObstacle() ?? findMismatch(scenario, contestant)
      if (reason !== null) absent.set(contestant.name, reason)
      else
        await enter(
          contestant,
          scenario,
          { ...setup, folder: join(folder, contestant.name) },
          entrants
        )
    }
    const idleBytes = new Map(
      entrants.map(({ contestant, pids }) => [contestant.name, memoryOf(pids)?.pssBytes ?? null])
    )
    return {
      scenario,
      idleBytes,
      absent,
      rounds: await runRounds(scenario, entrants, schedule, say)
    }
  } finally {
    await Promise.all(entrants.map(({ running }) => running.stop()))
    await upstream.stop()
  }
}

/** Starts a contestant and adds it to the entrants, which are stopped whatever happens next. */
async function enter(
  contestant: Contestant,
  scenario: Scenario,
  setup: Setup,
  entrants: Entrant[]
): Promise<void> {
  const running = await contestant.start(setup)
  const { port, pid } = running
  const { upstreamPort, placement, limitedKey } = setup
  const askedKeys = {
    good: () => setup.keys,
    limited: () => [limitedKey],
    unknown: () => Array.from({ length: scenario.keys }, newApiKey)
  }[scenario.ask]()
  entrants.push({
    contestant,
    running,
    port,
    upstreamPort,
    placement,
    pids: processTreeOf(pid),
    paths: askedKeys.map(pathOf),
    floodPaths: scenario.hasFlood ? Array.from({ length: floodKeys }, newApiKey).map(pathOf) : []
  })
  try {
    await checkJob(contestant, {
      port,
      upstreamPort,
      limitedKey,
      body: scenario.requestBody,
      answerBytes: scenario.answerBytes,
      calls: scenario.calls,
      goodKey: setup.keys[0] as string,
      unknownKey: newApiKey()
    })
  } catch (error) {
    throw new Error(`${contestant.name} does not do its job: ${(error as Error).message}`)
  }
}

const pathOf = (key: string) => `/api=${key}`

async function runRounds(
  scenario: Scenario,
  entrants: readonly Entrant[],
  schedule: Schedule,
  say: (line: string) => void
): Promise<ReadonlyMap<string, readonly Figures[]>> {
  const rounds = new Map(entrants.map(({ contestant }) => [contestant.name, [] as Figures[]]))
  let { requestsPerSecond } = schedule
  for (const round of schedule.rounds) {
    for (const entrant of round % 2 === 1 ? entrants : entrants.toReversed()) {
      const { name } = entrant.contestant
      const earlier = rounds.get(name) ?? []
      const measuring = measure(scenario, entrant, {
        measuredSeconds: schedule.measuredSeconds,
        isFirst: earlier.length === 0,
        requestsPerSecond: requestsPerSecond ?? earlier[0]?.askedPerSecond ?? null
      })
      try {
        const figures = await Promise.race([measuring, entrant.running.failure])
        earlier.push(figures)
        if (schedule.hasOneRate) requestsPerSecond ??= figures.askedPerSecond
        say(`  round ${round}, ${name}: ${describe(figures)}`)
      } catch (error) {
        throw new Error(`${scenario.name}, ${name}: ${(error as Error).message}`)
      }
    }
  }
  return rounds
}

function describe({ requestsPerSecond, cpuUsPerRequest }: Figures): string {
  const cost = cpuUsPerRequest === null ? '' : `, ${cpuUsPerRequest.toFixed(1)} µs CPU each`
  return `${Math.round(requestsPerSecond)} requests/s${cost}`
}
