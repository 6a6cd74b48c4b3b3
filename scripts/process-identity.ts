// A process number alone does not name a process: the system gives it out again. Together with the moment the process
// was born it does, and so "is what we started still running" has an answer that survives kill -9 and reboots.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  pid: number
  /** When it was born, in the system's own words; compared, never read. */
  born: string
}

/** Undefined when there is no such process. */
export function identify(pid: number): ProcessIdentity | undefined {
  const born = process.platform === 'linux' ? bornOnLinux(pid) : bornElsewhere(pid)
  return born === undefined ? undefined : { pid, born }
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.born === identity.born
}

function bornOnLinux(pid: number): string | undefined {
  try {
    // proc(5): the name, field 2, may hold spaces and parentheses; state is field 3, starttime field 22.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    if (fields[0] === 'Z') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`
  } catch {
    return undefined
  }
}

function bornElsewhere(pid: number): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore']
    })
    return text.trim() || undefined
  } catch {
    return undefined
  }
}
