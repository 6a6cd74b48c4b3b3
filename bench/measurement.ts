// One contestant in one round: first as much as it can serve, then a fixed rate below that, while a tenth as many requests
// go to the upstream directly. Both see the same load generator and upstream in the same seconds, so that the difference
// is what the contestant adds.
import type { Load, LoadResult, Stream, StreamResult } from './load/load.ts'
import { send } from './load/send.ts'
import type { Placement } from './machine.ts'
import { memoryOf } from './memory.ts'
import type { Scenario } from './scenarios.ts'

export interface Target {
  readonly port: number
  readonly upstreamPort: number
  readonly pids: readonly number[]
  readonly placement: Placement
  readonly paths: readonly string[]
  /** Empty where nothing floods. */
  readonly floodPaths: readonly string[]
}

/** What is null was not measured, or the system does not tell. */
export interface Figures {
  /** At saturation: every connection asks again as soon as it is answered. */
  readonly requestsPerSecond: number
  readonly cpuUsPerRequest: number | null
  /** In cores. Well under the contestant's number of them: the load generator or the upstream was the limit. */
  readonly coresBusy: number | null
  /** The fixed rate, open loop, and how long answers took from when their requests fell due. */
  readonly askedPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  /** Beyond what the upstream took when it was asked directly. */
  readonly addedP50Us: number
  readonly addedP99Us: number
  /** At the fixed rate, where batches are smaller and a request so dearer. */
  readonly pacedCpuUsPerRequest: number | null
  /** The p99 with a flood of unknown keys, against without. */
  readonly floodP99Ratio: number | null
  readonly rssBytes: number | null
  readonly pssBytes: number | null
}

export interface Round {
  readonly measuredSeconds: number
  /** Whatever compiles its code while it runs has not done so yet. */
  readonly isFirst: boolean
  /** Null: half of what is served at saturation. */
  readonly requestsPerSecond: number | null
}

const firstWarmUpSeconds = 3
const warmUpSeconds = 1
/** The fixed rate, of what is served at saturation: the knee is where answers begin to wait for each other. */
const pacedPart = 0.5
/** Requests to the upstream directly, of the fixed rate. */
const directPart = 0.1
const directConnections = 16
/** Unknown keys, of the fixed rate. */
const floodPart = 0.5
/** Of answers to a limited key, so many are refusals: one a second passes. */
const refusedPartMin = 0.98

const statusesOf = { good: [200], limited: [429, 200], unknown: [401] } as const
/** A gateway that cannot look all of them up may say so. */
const floodStatuses = [401, 503]

/** Throws when anything but the expected answers came back. */
export async function measure(scenario: Scenario, target: Target, round: Round): Promise<Figures> {
  const asked = streamOf(scenario, target)
  const saturated = await sendStreams([asked], target, round)
  const [all] = saturated.streams as [StreamResult]
  checkRefusals(scenario, all)
  const requestsPerSecond = (all.answers / saturated.elapsedUs) * 1e6
  const rate = round.requestsPerSecond ?? roundDown(requestsPerSecond * pacedPart)
  const paced = [{ ...asked, requestsPerSecond: rate }, directStreamOf(scenario, target, rate)]
  const later = { ...round, isFirst: false }
  const calm = await sendStreams(paced, target, later)
  const [through, direct] = calm.streams as [StreamResult, StreamResult]
  const memory = memoryOf(target.pids)
  const flooded = await sendFlood(paced, target, later)
  return {
    requestsPerSecond,
    cpuUsPerRequest: costOf(saturated, all),
    coresBusy: saturated.cpuUs === null ? null : saturated.cpuUs / saturated.elapsedUs,
    askedPerSecond: rate,
    p50Us: through.latencyUs.p50,
    p99Us: through.latencyUs.p99,
    addedP50Us: through.latencyUs.p50 - direct.latencyUs.p50,
    addedP99Us: through.latencyUs.p99 - direct.latencyUs.p99,
    pacedCpuUsPerRequest: costOf(calm, through),
    floodP99Ratio: flooded === null ? null : flooded.latencyUs.p99 / through.latencyUs.p99,
    rssBytes: memory?.rssBytes ?? null,
    pssBytes: memory?.pssBytes ?? null
  }
}

async function sendStreams(
  streams: readonly Stream[],
  { pids, placement }: Target,
  { isFirst, measuredSeconds }: Round
): Promise<LoadResult> {
  const load: Load = {
    streams,
    pids,
    warmUpSeconds: isFirst ? firstWarmUpSeconds : warmUpSeconds,
    measuredSeconds
  }
  return await send(load, placement)
}

/** What good keys see while unknown ones flood in; null where nothing floods. */
async function sendFlood(
  paced: readonly Stream[],
  target: Target,
  round: Round
): Promise<StreamResult | null> {
  const [asked] = paced as [Stream]
  if (target.floodPaths.length === 0 || asked.requestsPerSecond === null) return null
  const flood: Stream = {
    ...asked,
    paths: target.floodPaths,
    requestsPerSecond: asked.requestsPerSecond * floodPart,
    statuses: floodStatuses
  }
  const { streams } = await sendStreams([...paced, flood], target, round)
  return streams[0] as StreamResult
}

function streamOf(scenario: Scenario, { port, paths }: Target): Stream {
  return {
    port,
    paths,
    body: scenario.requestBody,
    connections: scenario.connections,
    requestsPerSecond: null,
    statuses: statusesOf[scenario.ask]
  }
}

function directStreamOf(scenario: Scenario, { upstreamPort }: Target, rate: number): Stream {
  return {
    port: upstreamPort,
    paths: ['/'],
    body: scenario.requestBody,
    connections: directConnections,
    requestsPerSecond: Math.max(1, rate * directPart),
    statuses: [200]
  }
}

function checkRefusals({ ask }: Scenario, { answers, answersByStatus }: StreamResult): void {
  if (answers === 0) throw new Error('there were no answers')
  if (ask !== 'limited') return
  const refused = (answersByStatus[429] ?? 0) / answers
  if (refused < refusedPartMin) {
    throw new Error(
      `only ${Math.round(refused * 100)} % of the calls beyond the limit were refused`
    )
  }
}

function costOf({ cpuUs }: LoadResult, { answers }: StreamResult): number | null {
  return cpuUs === null || answers === 0 ? null : cpuUs / answers
}

/** Two digits are enough for a rate, and easier to compare. */
function roundDown(rate: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(rate)) - 1)
  return Math.max(1, Math.floor(rate / step) * step)
}
