// Drives autocannon, as a library, in a process of its own. Its first message is the Run, its only answer what came of it.
//
//   node bench/matrix/autocannon-program.ts
import { once } from 'node:events'
import { createHistogram } from 'node:perf_hooks'
import autocannon, { type Client, type Options, type Request } from 'autocannon'
import { processorTimeUs } from '../processor-time.ts'
import type { ProgramMessage, Run, RunResult } from './autocannon-run.ts'

const [run] = (await once(process, 'message')) as [Run]
const message = await measure(run).then(
  (result): ProgramMessage => ({ result }),
  (error: Error): ProgramMessage => ({ problem: error.message })
)
process.send?.(message)
process.disconnect()

async function measure(asked: Run): Promise<RunResult> {
  if (asked.warmUpSeconds > 0)
    await autocannon(optionsOf({ ...asked, seconds: asked.warmUpSeconds }))
  const latencies = createHistogram()
  const usedBeforeUs = usedUs(asked.pids)
  const running = autocannon(optionsOf(asked), () => undefined)
  running.on('response', (_client: Client, _status: number, _bytes: number, tookMs: number) => {
    latencies.record(Math.max(1, Math.round(tookMs * 1000)))
  })
  const [result] = (await once(running, 'done')) as [autocannon.Result]
  const usedAfterUs = usedUs(asked.pids)
  const { errors, timeouts, resets, mismatches } = result
  const at = (percentile: number) => latencies.percentile(percentile)
  return {
    answers: result.requests.total,
    answersByStatus: Object.fromEntries(
      Object.entries(result.statusCodeStats ?? {}).map(([status, { count }]) => [
        status,
        Number(count)
      ])
    ),
    faults: nonZero({ errors: errors - timeouts, timeouts, resets, mismatches }),
    elapsedSeconds: result.duration,
    bytesPerSecond: result.throughput.total / result.duration,
    latencyUs: { p50: at(50), p90: at(90), p99: at(99), max: latencies.max },
    cpuUs: usedBeforeUs === null || usedAfterUs === null ? null : usedAfterUs - usedBeforeUs,
    tables: autocannon.printResult(result)
  }
}

function optionsOf({ origin, paths, body, connections, requestsPerSecond, seconds }: Run): Options {
  let started = 0
  const requests: Request[] = paths.map((path) => ({ path }))
  return {
    url: origin,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    connections,
    duration: seconds,
    ...(requestsPerSecond === null ? {} : { overallRate: requestsPerSecond }),
    requests,
    setupClient(client) {
      // Each begins elsewhere: otherwise all connections would ask with the same key at the same time.
      const first = Math.floor((started++ * requests.length) / connections) % requests.length
      client.setRequests([...requests.slice(first), ...requests.slice(0, first)])
    }
  }
}

function usedUs(pids: readonly number[]): number | null {
  if (pids.length === 0) return null
  const times = pids.map(processorTimeUs)
  return times.reduce((sum, time) => (sum === null || time === null ? null : sum + time), 0)
}

function nonZero(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
}
