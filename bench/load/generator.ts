// Sends a load and measures both sides of it: what the clients saw, and what processor time the contestant used
// meanwhile. A program of its own, on another core than the contestant: its first message is the Load, its only answer
// what came of it.
//
//   node bench/load/generator.ts
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { processorTimeUs } from '../processor-time.ts'
import type { GeneratorMessage, Load, LoadResult } from './load.ts'
import { RequestStream } from './request-stream.ts'

/** Finer than that costs more than it shows: the kernel wakes a thread up to 50 µs late. */
const tickMs = 0.2
const warmUpSecondsMax = 120
/** For the last answers of the open loop. */
const settleSecondsMax = 60
const pollMs = 20

const [load] = (await once(process, 'message')) as [Load]
const message = await run().then(
  (result): GeneratorMessage => ({ result }),
  (error: Error): GeneratorMessage => ({ problem: error.message })
)
process.send?.(message)
process.disconnect()

async function run(): Promise<LoadResult> {
  const failures = new Map<string, number>()
  const streams = load.streams.map(
    (stream) =>
      new RequestStream(stream, (reason) => failures.set(reason, (failures.get(reason) ?? 0) + 1))
  )
  const paced = streams.filter((stream) => stream.isOpenLoop)
  const ticker = paced.length === 0 ? null : startTicker(paced)
  for (const stream of streams) stream.start(performance.now())
  try {
    return await measure(streams, failures)
  } finally {
    ticker?.postMessage('end')
    for (const stream of streams) stream.close()
  }
}

async function measure(
  streams: readonly RequestStream[],
  failures: ReadonlyMap<string, number>
): Promise<LoadResult> {
  await delay(load.warmUpSeconds * 1000)
  await until(
    () => (streams[0]?.hasAskedAll ?? true) || failures.size > 0,
    warmUpSecondsMax,
    'not every path was asked'
  )
  const usedBeforeUs = usedByContestantUs()
  const startedMs = performance.now()
  for (const stream of streams) stream.startCounting(startedMs)
  await delay(load.measuredSeconds * 1000)
  const usedAfterUs = usedByContestantUs()
  const endedMs = performance.now()
  for (const stream of streams) stream.end(endedMs)
  const paced = streams.filter((stream) => stream.isOpenLoop)
  await until(() => paced.every((stream) => stream.isSettled), settleSecondsMax, 'answers missing')
  if (failures.size > 0) throw new Error(describe(failures))
  return {
    streams: streams.map((stream) => stream.result),
    elapsedUs: (endedMs - startedMs) * 1000,
    cpuUs: usedBeforeUs === null || usedAfterUs === null ? null : usedAfterUs - usedBeforeUs
  }
}

function startTicker(streams: readonly RequestStream[]): Worker {
  const ticker = new Worker(new URL('./ticker.ts', import.meta.url), { workerData: tickMs })
  ticker.on('message', () => {
    const nowMs = performance.now()
    for (const stream of streams) stream.sendDue(nowMs)
  })
  return ticker
}

async function until(isTrue: () => boolean, seconds: number, problem: string): Promise<void> {
  const deadlineMs = performance.now() + seconds * 1000
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error(`${problem} after ${seconds} s`)
    await delay(pollMs)
  }
}

function describe(failures: ReadonlyMap<string, number>): string {
  return [...failures].map(([reason, times]) => `${times} × ${reason}`).join(', ')
}

function usedByContestantUs(): number | null {
  const times = load.pids.map(processorTimeUs)
  return times.reduce((sum, time) => (sum === null || time === null ? null : sum + time), 0)
}
