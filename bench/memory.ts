// What memory processes hold, from /proc (Linux only).
import { readFileSync } from 'node:fs'

export interface Memory {
  /** Resident: what several processes share is counted in each of them. */
  readonly rssBytes: number
  /** Proportional: what n processes share is counted as one n-th in each. The honest sum of several processes. */
  readonly pssBytes: number
}

/** Of all these processes together. Null where the system does not tell. */
export function memoryOf(pids: readonly number[]): Memory | null {
  if (process.platform !== 'linux') return null
  const each = pids.map((pid) => parseRollup(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')))
  return {
    rssBytes: each.reduce((sum, memory) => sum + memory.rssBytes, 0),
    pssBytes: each.reduce((sum, memory) => sum + memory.pssBytes, 0)
  }
}

/** From the text of /proc/<pid>/smaps_rollup. */
export function parseRollup(text: string): Memory {
  const bytesOf = (name: string) => {
    const kilobytes = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1]
    if (kilobytes === undefined) throw new Error(`smaps_rollup has no ${name}`)
    return Number(kilobytes) * 1024
  }
  return { rssBytes: bytesOf('Rss'), pssBytes: bytesOf('Pss') }
}
