// The processes that a command starts and must end. Each writes to a log of its own, runs in a process group of its own
// (so that Ctrl-C reaches only who starts them, and they end in the right order), and is recorded in the data folder:
// when the command itself is killed, the next one ends exactly what it left behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { marks } from './config.ts'
import type { DataFolder } from './data-folder.ts'
import { readPrivateJson, writePrivateJson } from './private-file.ts'
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts'

const logTailLines = 15
const leftoverGraceMs = 10_000
const pollMs = 50

export interface ChildOptions {
  name: string
  program: string
  args: readonly string[]
  env: Record<string, string | undefined>
  cwd?: string
  /** Only root may set it. */
  uid?: number
  gid?: number
}

export interface Child {
  readonly name: string
  readonly pid: number
  /** Resolves when it has ended, however it did: `code 1`, `signal SIGKILL`. */
  readonly ended: Promise<string>
  logTail(): string
  /** Asks it to end, insists after `graceMs`, and resolves when it has. */
  stop(graceMs: number): Promise<void>
  kill(): void
}

export interface ChildProcesses {
  /** Ends what an earlier run recorded and could not end. Returns the names. */
  endLeftovers(): Promise<string[]>
  start(options: ChildOptions): Promise<Child>
  killAll(): void
}

type Entry = ProcessIdentity & { name: string }

export function createChildProcesses(folder: DataFolder): ChildProcesses {
  const recordPath = folder.at('processes.json')
  const living = new Map<number, { child: ChildProcess; entry: Entry }>()
  const record = () =>
    writePrivateJson(
      recordPath,
      [...living.values()].map(({ entry }) => entry)
    )
  const recordIfPossible = () => {
    try {
      record()
    } catch {
      // On a full disk the record keeps a process that has ended: the next start sees by its birth that it is gone.
    }
  }

  return {
    async endLeftovers() {
      const entries = readPrivateJson<Entry[]>(recordPath) ?? []
      const left = entries.filter(isRunning)
      await Promise.all(left.map(end))
      record()
      return left.map((entry) => entry.name)
    },
    async start(options) {
      const logPath = openLogPath(folder, options.name)
      const child = await launch(options, logPath)
      const pid = child.pid as number
      const entry = { name: options.name, ...(identify(pid) ?? { pid, born: '' }) }
      living.set(pid, { child, entry })
      record()
      const ended = endOf(child).finally(() => {
        living.delete(pid)
        recordIfPossible()
      })
      return {
        name: options.name,
        pid,
        ended,
        logTail: () =>
          readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-logTailLines).join('\n'),
        async stop(graceMs) {
          child.kill('SIGTERM')
          const insist = setTimeout(() => child.kill('SIGKILL'), graceMs)
          await ended
          clearTimeout(insist)
        },
        kill: () => child.kill('SIGKILL')
      }
    },
    killAll() {
      for (const { child } of living.values()) child.kill('SIGKILL')
    }
  }
}

/** The log of this run; that of the run before stays beside it. */
function openLogPath(folder: DataFolder, name: string): string {
  mkdirSync(folder.at('logs'), { recursive: true, mode: 0o700 })
  const path = folder.at('logs', `${name}.log`)
  if (existsSync(path)) renameSync(path, folder.at('logs', `${name}.previous.log`))
  return path
}

async function launch(options: ChildOptions, logPath: string): Promise<ChildProcess> {
  const log = openSync(logPath, 'a', 0o600)
  try {
    const child = spawn(options.program, options.args, {
      env: { ...options.env, ...marks() },
      detached: true,
      stdio: ['ignore', log, log],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid ?? options.uid })
    })
    await once(child, 'spawn')
    return child
  } finally {
    closeSync(log)
  }
}

async function endOf(child: ChildProcess): Promise<string> {
  const [code, signal] =
    child.exitCode === null && child.signalCode === null
      ? ((await once(child, 'exit')) as [number | null, string | null])
      : [child.exitCode, child.signalCode]
  return signal === null ? `code ${code}` : `signal ${signal}`
}

async function end(entry: Entry): Promise<void> {
  const deadlineMs = performance.now() + leftoverGraceMs
  signal(entry, 'SIGTERM')
  while (isRunning(entry)) {
    if (performance.now() > deadlineMs) signal(entry, 'SIGKILL')
    await delay(pollMs)
  }
}

function signal(entry: Entry, name: NodeJS.Signals): void {
  try {
    process.kill(entry.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
