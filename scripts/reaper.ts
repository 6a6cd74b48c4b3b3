// Ends what a test left running. A process that starts a reaper gets a mark, an entry of the environment that all its
// descendants inherit, detached ones too; when the process has ended, however it did, the reaper kills whatever has the
// mark. So a test that fails, times out, is interrupted or is killed leaves no gateway, database or node behind.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type MarkName, setMark } from './config.ts'

/** Marks the environment of this process, and so that of every process it starts from now on. */
export function startReaper(name: MarkName): void {
  const value = randomBytes(12).toString('hex')
  // In a session of its own: Ctrl-C in a terminal reaches every process of the foreground group. Nothing of its
  // environment is ours: it would find itself.
  const reaper = spawn('/bin/sh', [join(import.meta.dirname, 'reaper.sh'), `${name}=${value}`], {
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true
  })
  reaper.unref()
  const pipe = reaper.stdin as typeof reaper.stdin & { unref(): void }
  pipe.unref()
  setMark(name, value)
}
