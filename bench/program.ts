// A program of the bench, in a process of its own on cores of its own. It ends with us: on `stop`, on an error, on
// Ctrl-C, and, if it is one of ours, even when we are killed, because it holds the other end of a channel.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { childEnvironment } from '../scripts/config.ts'
import { pinned } from './machine.ts'

const stopTimeoutMs = 10_000
/** Characters. */
const lastWordsMax = 4000

export interface Program {
  readonly name: string
  readonly pid: number
  /** Rejects when it ends by itself. */
  readonly failure: Promise<never>
  /** May be called again: it is asked to end once, since a second SIGTERM means "now, whatever is under way". */
  stop(): Promise<void>
}

export interface NodeProgram extends Program {
  /** Its first message (see reportToBench). Rejects when it ends without one. */
  readonly firstMessage: Promise<unknown>
  send(message: object): void
}

interface Surroundings {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cores: readonly number[]
}

const running = new Set<Program>()

/** Starts `node file args…`, the file as seen from this folder. What it prints goes to our standard error. */
export async function startNode(
  options: Surroundings & { readonly file: string; readonly nodeOptions?: readonly string[] }
): Promise<NodeProgram> {
  const args = [
    ...(options.nodeOptions ?? []),
    join(import.meta.dirname, options.file),
    ...(options.args ?? [])
  ]
  const [child, program] = await start(options.file, process.execPath, { ...options, args }, true)
  const firstMessage = Promise.race([
    once(child, 'message').then(([message]) => message),
    program.failure
  ])
  firstMessage.catch(() => undefined)
  return { ...program, firstMessage, send: (message) => child.send(message) }
}

/** Starts any other program. What it prints is shown when it ends by itself. */
export async function startCommand(
  options: Surroundings & { readonly command: string }
): Promise<Program> {
  const [, program] = await start(options.command, options.command, options, false)
  return program
}

/** For the end, whatever the end is. */
export async function stopPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.stop()))
}

async function start(
  name: string,
  file: string,
  { args = [], env = {}, cores }: Surroundings,
  hasChannel: boolean
): Promise<[ChildProcess, Program]> {
  const [command, commandArgs] = pinned(cores, file, args)
  const child = spawn(command, commandArgs, {
    env: childEnvironment(env),
    stdio: hasChannel ? ['ignore', process.stderr, 'inherit', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C reaches us alone, and we end it.
    detached: true
  })
  const lastWords = rememberOutput(child)
  await once(child, 'spawn')
  const failure = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${name} ended by itself (${signal ?? `code ${code}`}). ${lastWords()}`)
  })
  failure.catch(() => running.delete(program))
  let stopped: Promise<void> | null = null
  const program: Program = {
    name,
    pid: child.pid as number,
    failure,
    stop() {
      stopped ??= stop(child)
      return stopped
    }
  }
  running.add(program)
  return [child, program]
}

/** What it printed last, unless that goes to our standard error anyway. */
function rememberOutput({ stdout, stderr }: ChildProcess): () => string {
  if (stdout === null || stderr === null) return () => 'Its errors are above.'
  let text = ''
  const remember = (piece: Buffer) => {
    text = (text + piece.toString()).slice(-lastWordsMax)
  }
  stdout.on('data', remember)
  stderr.on('data', remember)
  return () => `It said:\n${text}`
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
