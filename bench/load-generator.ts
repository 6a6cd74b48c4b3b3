// Sends the load and measures both sides of it: what the clients saw, and what processor time the contestant used
// meanwhile. Answers with a Measurement, and the number of failures, as its only message.
//
//   node bench/load-generator.ts '<Load as JSON>'
import { createHistogram } from 'node:perf_hooks'
import autocannon from 'autocannon'
import type { Load, Measurement } from './load.ts'
import { processorTimeUs } from './processor-time.ts'

const load: Load = JSON.parse(process.argv[2] ?? '')
await send(load.warmUpSeconds, () => undefined)
process.send?.(await measure())
process.disconnect()

async function measure(): Promise<Measurement & { failures: number }> {
  // autocannon's own histogram counts whole milliseconds, too coarse here.
  const latenciesUs = createHistogram()
  let answers = 0
  let failures = 0
  const usedBeforeUs = usedByContestantUs()
  const startedMs = performance.now()
  const errors = await send(load.measuredSeconds, (status, milliseconds) => {
    answers++
    if (status !== 200) failures++
    latenciesUs.record(Math.max(1, Math.round(milliseconds * 1000)))
  })
  const elapsedUs = (performance.now() - startedMs) * 1000
  const usedAfterUs = usedByContestantUs()
  const cpuUs = usedBeforeUs === null || usedAfterUs === null ? null : usedAfterUs - usedBeforeUs
  return {
    requestsPerSecond: (answers / elapsedUs) * 1e6,
    p50Us: latenciesUs.percentile(50),
    p99Us: latenciesUs.percentile(99),
    cpuUsPerRequest: cpuUs === null ? null : cpuUs / answers,
    cpuUtilization: cpuUs === null ? null : cpuUs / elapsedUs,
    failures: failures + errors
  }
}

/** Returns the number of requests that got no answer. */
async function send(
  seconds: number,
  onAnswer: (status: number, milliseconds: number) => void
): Promise<number> {
  const run = autocannon({
    url: load.url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: load.body,
    connections: load.connections,
    duration: seconds
  })
  run.on('response', (_client, status, _bytes, milliseconds) => onAnswer(status, milliseconds))
  return (await run).errors
}

function usedByContestantUs(): number | null {
  const times = load.pids.map(processorTimeUs)
  return times.reduce((sum, time) => (sum === null || time === null ? null : sum + time), 0)
}
