// The processor time that a process has used, all its threads together, from /proc (Linux only). Reading it costs the
// measured process nothing.
import { readFileSync } from 'node:fs'

// USER_HZ: the kernel's unit for these figures, 100 on every architecture that Node runs on (proc(5), sysconf(3)).
const microsecondsPerTick = 10_000

/** User and system time in µs, in steps of 10,000. Null where there is no /proc. */
export function processorTimeUs(pid: number): number | null {
  try {
    return parseProcessorTimeUs(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && process.platform !== 'linux')
      return null
    throw error
  }
}

/** From the text of /proc/<pid>/stat: the sum of fields 14 and 15. */
export function parseProcessorTimeUs(stat: string): number {
  // The second field is the command in brackets, and may itself hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * microsecondsPerTick
}
