// What the bench knows of whoever it measures.
import type { Placement } from '../machine.ts'

/** What a contestant does beyond forwarding. */
export type Duty = 'keys' | 'limits' | 'counters'

export interface Contestant {
  readonly name: string
  readonly description: string
  readonly duties: readonly Duty[]
  /** False for one that answers by itself. */
  readonly isProxy: boolean
  readonly threadsMax: number
  /** What is missing on this machine; null when nothing is. */
  findObstacle(): string | null
  /** For the record; null when it is one of ours. */
  version(): string | null
  /** Starts it in front of the upstream, and resolves when it serves. */
  start(setup: Setup): Promise<RunningContestant>
}

export interface Setup {
  readonly upstreamPort: number
  readonly answerBytes: number
  /** Calls in each request. */
  readonly calls: number
  /** The keys that it serves without ever reaching their limits. */
  readonly keys: readonly string[]
  /** A key that may be used once a second. */
  readonly limitedKey: string
  readonly threads: number
  readonly placement: Placement
  /** A folder of its own. */
  readonly folder: string
}

export interface RunningContestant {
  /** Where `POST /api=<key>` is served on the loopback address. */
  readonly port: number
  /** The process that all its others descend from. */
  readonly pid: number
  /** Rejects when it ends by itself. */
  readonly failure: Promise<never>
  stop(): Promise<void>
}

/** What "never reached" is: some ten thousand requests a second are served, for minutes. */
export const wideLimit = { requestsPerSecond: 1_000_000, burst: 1_000_000 } as const
export const narrowLimit = { requestsPerSecond: 1, burst: 1 } as const
