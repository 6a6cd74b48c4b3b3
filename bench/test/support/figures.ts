// Results as a run would have them.
import type { Figures } from '../../measurement.ts'
import type { ScenarioResult } from '../../rounds.ts'
import { scenarios } from '../../scenarios.ts'

export function figuresWith(values: Partial<Figures>): Figures {
  return {
    requestsPerSecond: 10_000,
    cpuUsPerRequest: 20,
    coresBusy: 0.97,
    askedPerSecond: 5000,
    p50Us: 1500,
    p99Us: 4200,
    addedP50Us: 900,
    addedP99Us: 600,
    pacedCpuUsPerRequest: 24,
    floodP99Ratio: null,
    rssBytes: 2 ** 26,
    pssBytes: 2 ** 25,
    ...values
  }
}

/** Of one scenario: the processor time of each round, by contestant. */
export function resultOf(
  name: string,
  cpuUs: Readonly<Record<string, readonly (number | null)[]>>
): ScenarioResult {
  const scenario = scenarios.find((one) => one.name === name)
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`)
  return {
    scenario,
    rounds: new Map(
      Object.entries(cpuUs).map(([contestant, values]) => [
        contestant,
        values.map((cpuUsPerRequest) => figuresWith({ cpuUsPerRequest }))
      ])
    ),
    idleBytes: new Map(),
    absent: new Map([['caddy', 'has no keys']])
  }
}
