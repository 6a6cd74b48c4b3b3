// One measurement of one contestant, from the side of the bench: the load generator is a process of its own, on another
// core than the contestant.
import { cores } from './machine.ts'
import { startProgram } from './program.ts'

export interface Load {
  readonly url: string
  readonly body: string
  readonly connections: number
  readonly warmUpSeconds: number
  readonly measuredSeconds: number
  /** The processes whose processor time is the contestant's. */
  readonly pids: readonly number[]
}

export interface Measurement {
  readonly requestsPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  /** Null where the system does not tell (see processor-time.ts). */
  readonly cpuUsPerRequest: number | null
  /** Of one core. Well under 1: not the contestant but the load generator or the upstream was the limit. */
  readonly cpuUtilization: number | null
}

/** Throws when anything but answers with status 200 came back: the figures would be of something else. */
export async function measure(load: Load): Promise<Measurement> {
  const program = await startProgram({
    file: 'load-generator.ts',
    args: [JSON.stringify(load)],
    core: cores.load
  })
  try {
    const { failures, ...measurement } = (await program.firstMessage) as Measurement & {
      failures: number
    }
    if (failures > 0) {
      throw new Error(`${failures} requests to ${load.url} failed or were not answered with 200`)
    }
    return measurement
  } finally {
    await program.stop()
  }
}

/** One request, looked at closely, before thousands are counted. Throws when the answer is not the upstream's. */
export async function checkAnswer(url: string, body: string, answerBytes: number): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body })
  const text = await answer.text()
  if (answer.status !== 200 || text.length !== answerBytes) {
    throw new Error(
      `expected status 200 and ${answerBytes} bytes, got ${answer.status} and ${text.length}: ${text.slice(0, 200)}`
    )
  }
}
