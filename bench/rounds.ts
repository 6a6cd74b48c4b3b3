// One scenario: every contestant is started once, in front of the same upstream, and then measured in turn, round after
// round. They are all up at once so that a round takes seconds; those that are not being measured are idle.
import { findFreePort } from '../scripts/ports.ts'
import type { Contestant, RunningContestant } from './contestants/contestant.ts'
import { checkAnswer, type Measurement, measure } from './load.ts'
import { cores } from './machine.ts'
import { startProgram } from './program.ts'
import type { Scenario } from './scenarios.ts'

export interface Pace {
  /** Each round measures every contestant once, so that a noisy minute hits all of them. */
  readonly rounds: number
  readonly warmUpSeconds: number
  readonly measuredSeconds: number
}

/** One measurement of each round, by contestant. */
export type Rounds = ReadonlyMap<string, readonly Measurement[]>

export async function runScenario(
  scenario: Scenario,
  contestants: readonly Contestant[],
  pace: Pace,
  say: (line: string) => void
): Promise<Rounds> {
  const upstreamPort = await findFreePort()
  const upstream = await startProgram({
    file: 'upstream.ts',
    args: [String(upstreamPort), String(scenario.answerBytes)],
    core: cores.load
  })
  const running = new Map<string, RunningContestant>()
  try {
    await upstream.firstMessage
    for (const contestant of contestants) {
      const url = `http://127.0.0.1:${upstreamPort}/`
      const started = await contestant.start(url, scenario.answerBytes)
      running.set(contestant.name, started)
      await checkAnswer(started.url, scenario.requestBody, scenario.answerBytes)
    }
    return await runRounds(scenario, running, pace, say)
  } finally {
    await Promise.all([...running.values()].map((contestant) => contestant.stop()))
    await upstream.stop()
  }
}

async function runRounds(
  scenario: Scenario,
  running: ReadonlyMap<string, RunningContestant>,
  pace: Pace,
  say: (line: string) => void
): Promise<Rounds> {
  const rounds = new Map([...running.keys()].map((name) => [name, [] as Measurement[]]))
  for (let round = 1; round <= pace.rounds; round++) {
    for (const [name, { url, pids }] of running) {
      const measurement = await measure({
        url,
        pids,
        body: scenario.requestBody,
        connections: scenario.connections,
        warmUpSeconds: pace.warmUpSeconds,
        measuredSeconds: pace.measuredSeconds
      })
      rounds.get(name)?.push(measurement)
      say(`  round ${round} of ${pace.rounds}, ${name}: ${describe(measurement)}`)
    }
  }
  return rounds
}

function describe({ requestsPerSecond, cpuUsPerRequest }: Measurement): string {
  const cost = cpuUsPerRequest === null ? '' : `, ${cpuUsPerRequest.toFixed(1)} µs CPU each`
  return `${Math.round(requestsPerSecond)} requests/s${cost}`
}
