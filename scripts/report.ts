// What a person sees while a command works: one line for each step when it is done, with what it did and how long it
// took, and a line of progress every few seconds while a step is long.
import type { Writable } from 'node:stream'

const progressEveryMs = 5000
const nameColumns = 14
const detailColumns = 74

/** Says what the step is busy with now; shown only when the step takes long. */
export type Progress = (activity: string) => void

export interface Report {
  /** Runs `work`, then prints its line. A step that throws prints nothing: who catches the error does. */
  step<T>(
    name: string,
    work: (progress: Progress) => Promise<T>,
    describe: (result: T) => string
  ): Promise<T>
  line(text: string): void
}

export function createReport(out: Writable, clock: () => number = () => performance.now()): Report {
  const line = (text: string) => {
    out.write(`${text}\n`)
  }
  const seconds = (sinceMs: number) => ((clock() - sinceMs) / 1000).toFixed(1)
  return {
    line,
    async step(name, work, describe) {
      const startedMs = clock()
      let activity = 'working'
      const timer = setInterval(
        () => line(`  … ${name}: ${activity} (${Math.round((clock() - startedMs) / 1000)} s)`),
        progressEveryMs
      )
      try {
        const result = await work((now) => {
          activity = now
        })
        const detail = describe(result).padEnd(detailColumns)
        line(`  ${name.padEnd(nameColumns)} ${detail} ${seconds(startedMs).padStart(5)} s`)
        return result
      } finally {
        clearInterval(timer)
      }
    }
  }
}
