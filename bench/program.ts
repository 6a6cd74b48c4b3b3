// A program of the bench, in a process of its own on a core of its own. It ends with us: on `stop`, on an error, on
// Ctrl-C, and, because it holds the other end of a channel, even when we are killed.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { childEnvironment } from '../scripts/config.ts'
import { type Core, pinned } from './machine.ts'

const stopTimeoutMs = 10_000

export interface Program {
  readonly name: string
  readonly pid: number
  /** Its first message (see reportToBench). Rejects when it ends without one. */
  readonly firstMessage: Promise<unknown>
  /** Rejects when it ends by itself. */
  readonly failure: Promise<never>
  /** May be called again: it is asked to end once, since a second SIGTERM means "now, whatever is under way". */
  stop(): Promise<void>
}

export interface ProgramOptions {
  /** From this folder. */
  readonly file: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly core: Core
}

const running = new Set<Program>()

/** Starts `node file args…`. What it prints goes to our standard error. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const name = options.file
  const [command, args] = pinned(options.core, process.execPath, [
    join(import.meta.dirname, options.file),
    ...(options.args ?? [])
  ])
  const child = spawn(command, args, {
    env: childEnvironment(options.env),
    stdio: ['ignore', process.stderr, 'inherit', 'ipc'],
    // A process group of its own: Ctrl-C reaches us alone, and we end it.
    detached: true
  })
  await once(child, 'spawn')
  const failure = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${name} ended by itself (${signal ?? `code ${code}`}): its errors are above`)
  })
  failure.catch(() => running.delete(program))
  const firstMessage = Promise.race([once(child, 'message').then(([message]) => message), failure])
  firstMessage.catch(() => undefined)
  let stopped: Promise<void> | null = null
  const program: Program = {
    name,
    pid: child.pid as number,
    firstMessage,
    failure,
    stop() {
      stopped ??= stop(child)
      return stopped
    }
  }
  running.add(program)
  return program
}

/** For the end, whatever the end is. */
export async function stopPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.stop()))
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const insist = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await ended
  clearTimeout(insist)
}

/** Called inside a program: tells the bench that it is ready, and ends the program with `close` when the bench ends. */
export function reportToBench(close: () => void): void {
  let isEnding = false
  const end = () => {
    if (isEnding) return
    isEnding = true
    close()
    if (process.connected) process.disconnect()
  }
  process.once('disconnect', end)
  process.once('SIGTERM', end)
  process.send?.('ready')
}
