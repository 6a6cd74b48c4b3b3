// One run of autocannon: the words between the bench and the program that drives it, and the start of that program.
import type { Placement } from '../machine.ts'
import { startNode } from '../program.ts'

export interface Run {
  /** e.g. `http://127.0.0.1:8080`. */
  readonly origin: string
  /** Asked in turn by each connection, each of which begins at another one. */
  readonly paths: readonly string[]
  readonly body: string
  readonly connections: number
  /** Requests per second of all connections together; null is as many as are answered. */
  readonly requestsPerSecond: number | null
  readonly warmUpSeconds: number
  readonly seconds: number
  /** The processes whose processor time is measured; none for a gateway that is not ours. */
  readonly pids: readonly number[]
}

export interface RunResult {
  readonly answers: number
  readonly answersByStatus: Readonly<Record<string, number>>
  /** Connections that failed, timed out or were reset, with autocannon's word. */
  readonly faults: Readonly<Record<string, number>>
  readonly elapsedSeconds: number
  /** Of the answers, heads included. */
  readonly bytesPerSecond: number
  /** From the times of single answers; autocannon's own table counts whole milliseconds. */
  readonly latencyUs: {
    readonly p50: number
    readonly p90: number
    readonly p99: number
    readonly max: number
  }
  /** Null where the system does not tell, or no process was named. */
  readonly cpuUs: number | null
  /** autocannon's own tables of latency and throughput. */
  readonly tables: string
}

/** The only message of the program. */
export type ProgramMessage = { result: RunResult } | { problem: string }

/** Runs autocannon in a process of its own, on the cores that the gateway does not have. */
export async function runAutocannon(run: Run, placement: Placement): Promise<RunResult> {
  const program = await startNode({ file: 'matrix/autocannon-program.ts', cores: placement.load })
  try {
    program.send(run)
    const message = (await program.firstMessage) as ProgramMessage
    if ('problem' in message) throw new Error(message.problem)
    return message.result
  } finally {
    await program.stop()
  }
}
