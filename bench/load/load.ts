// What is sent, and what came of it: the words between the bench and its load generator.

/** Requests of one kind to one server. */
export interface Stream {
  readonly port: number
  /** Asked in turn. */
  readonly paths: readonly string[]
  readonly body: string
  readonly connections: number
  /**
   * Open loop: so many requests fall due every second, whether or not earlier ones were answered. Null is the closed
   * loop: every connection asks again as soon as it is answered.
   */
  readonly requestsPerSecond: number | null
  /** Any other status is a failure. */
  readonly statuses: readonly number[]
}

export interface Load {
  /** Sent together. */
  readonly streams: readonly Stream[]
  /** Sent before anything is counted, until this is over and every path of the first stream was asked once. */
  readonly warmUpSeconds: number
  readonly measuredSeconds: number
  /** The processes whose processor time is the contestant's. */
  readonly pids: readonly number[]
}

/** The requests of a stream that fell within the measured seconds. */
export interface StreamResult {
  readonly answers: number
  readonly answersByStatus: Readonly<Record<string, number>>
  readonly latencyUs: { readonly p50: number; readonly p99: number }
}

export interface LoadResult {
  readonly streams: readonly StreamResult[]
  readonly elapsedUs: number
  /** What the contestant used meanwhile; null where the system does not tell (see processor-time.ts). */
  readonly cpuUs: number | null
}

/** The only message of a load generator. */
export type GeneratorMessage = { result: LoadResult } | { problem: string }
