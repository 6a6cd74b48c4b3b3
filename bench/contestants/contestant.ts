// What the bench knows of whoever it measures.

export interface Contestant {
  readonly name: string
  readonly description: string
  /** Starts it on the contestants' core, in front of the upstream, and resolves when it serves. */
  start(upstreamUrl: string, answerBytes: number): Promise<RunningContestant>
}

export interface RunningContestant {
  /** Where requests are POSTed. */
  readonly url: string
  /** All its processes, whose processor time is its cost. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}
