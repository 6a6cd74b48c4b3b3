// The same load by autocannon and by the bench's own generator, in turn, on the same gateway: two programs that share no
// code must find the same. What must agree is what the gateway spends on a request, which is no matter of the client. The
// rates differ where the client is the limit (autocannon costs about twice what the generator does, and shares its core
// with the node), and so do the latencies at a fixed rate: autocannon sends a second's requests as fast as they are
// answered and then pauses, the generator spreads them and counts from when each fell due.
import type { Load, LoadResult, StreamResult } from '../load/load.ts'
import { send } from '../load/send.ts'
import { type Run, type RunResult, runAutocannon } from './autocannon-run.ts'
import type { Case } from './cases.ts'
import type { Subject } from './subject.ts'

export interface Reading {
  readonly requestsPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly cpuUsPerRequest: number | null
}

/** Each by both clients; `atRate` is half of what the slower client reached. */
export interface CrossCheck {
  readonly atRate: number
  readonly saturated: { readonly autocannon: Reading; readonly generator: Reading }
  readonly paced: { readonly autocannon: Reading; readonly generator: Reading }
}

export interface Pace {
  /** Of each client, in turn; the median by processor time, else by rate, is kept. */
  readonly rounds: number
  readonly seconds: number
}

const pacedPart = 0.5

/** Null for a gateway that the generator cannot reach: it knows plain HTTP on this machine alone. */
export async function crossCheck(
  asked: Case,
  subject: Subject,
  pace: Pace
): Promise<CrossCheck | null> {
  const { protocol, hostname } = new URL(subject.origin)
  if (protocol !== 'http:' || hostname !== '127.0.0.1') return null
  const saturated = await readBoth(asked, subject, pace, null)
  const slower = Math.min(
    saturated.autocannon.requestsPerSecond,
    saturated.generator.requestsPerSecond
  )
  const atRate = Math.max(1, Math.round(slower * pacedPart))
  return { atRate, saturated, paced: await readBoth(asked, subject, pace, atRate) }
}

async function readBoth(
  asked: Case,
  subject: Subject,
  { rounds, seconds }: Pace,
  requestsPerSecond: number | null
): Promise<{ autocannon: Reading; generator: Reading }> {
  const autocannon: Reading[] = []
  const generator: Reading[] = []
  for (let round = 0; round < rounds; round++) {
    autocannon.push(await byAutocannon(asked, subject, seconds, requestsPerSecond))
    generator.push(await byGenerator(asked, subject, seconds, requestsPerSecond))
  }
  return { autocannon: middleOf(autocannon), generator: middleOf(generator) }
}

async function byAutocannon(
  { body, connections, ...asked }: Case,
  subject: Subject,
  seconds: number,
  requestsPerSecond: number | null
): Promise<Reading> {
  const paths = subject.pathsOf({ body, connections, ...asked })
  const { origin, pids, placement } = subject
  const run: Run = {
    ...{ origin, paths, body, connections, requestsPerSecond, seconds, pids },
    warmUpSeconds: 1
  }
  const result: RunResult = await runAutocannon(run, placement)
  const { answers, elapsedSeconds, latencyUs, cpuUs } = result
  return {
    requestsPerSecond: answers / elapsedSeconds,
    p50Us: latencyUs.p50,
    p99Us: latencyUs.p99,
    cpuUsPerRequest: cpuUs === null ? null : cpuUs / answers
  }
}

async function byGenerator(
  asked: Case,
  subject: Subject,
  seconds: number,
  requestsPerSecond: number | null
): Promise<Reading> {
  const { body, connections, statuses } = asked
  const paths = subject.pathsOf(asked)
  const port = Number(new URL(subject.origin).port || 80)
  const load: Load = {
    streams: [{ port, paths, body, connections, requestsPerSecond, statuses }],
    pids: subject.pids,
    warmUpSeconds: 1,
    measuredSeconds: seconds
  }
  const result: LoadResult = await send(load, subject.placement)
  const { answers, latencyUs } = result.streams[0] as StreamResult
  const { cpuUs, elapsedUs } = result
  return {
    requestsPerSecond: (answers / elapsedUs) * 1e6,
    p50Us: latencyUs.p50,
    p99Us: latencyUs.p99,
    cpuUsPerRequest: cpuUs === null || subject.pids.length === 0 ? null : cpuUs / answers
  }
}

function middleOf(readings: readonly Reading[]): Reading {
  const rank = ({ cpuUsPerRequest, requestsPerSecond }: Reading) =>
    cpuUsPerRequest ?? requestsPerSecond
  const sorted = readings.toSorted((a, b) => rank(a) - rank(b))
  return sorted[Math.floor(sorted.length / 2)] as Reading
}
