// The worker threads as the main thread sees them: started together, told things together, and ended together. It knows
// which of them have applied a change, so that "applied" means: in force on every thread.
import { Worker } from 'node:worker_threads'
import type { Config } from './config.ts'
import type { Family } from './telemetry/counters.ts'
import { createCounterMemory } from './telemetry/counters.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { ThreadData, ToMain, ToThread } from './threads.ts'

export interface ThreadPoolDeps {
  readonly config: Config
  readonly limitMemory: SharedArrayBuffer
  readonly metrics: Metrics
  readonly lookUp: (secret: string, answer: (message: ToThread) => void) => void
  /** A thread has ended by itself, or is about to because of a bug: the process cannot go on without it. */
  readonly onDeath: (threadNumber: number, error: unknown) => void
}

interface Thread {
  readonly worker: Worker
  appliedId: number
  readonly ended: Promise<void>
}

export class ThreadPool {
  readonly #deps: ThreadPoolDeps
  readonly #threads: Thread[] = []
  #waiting: { upTo: number; resolve: () => void }[] = []
  #isDraining = false

  constructor(deps: ThreadPoolDeps) {
    this.#deps = deps
  }

  /** Resolves when every thread listens; rejects when one cannot. */
  async start(): Promise<void> {
    const { config } = this.#deps
    const started: Promise<void>[] = []
    for (let number = 0; number < config.GATEWAY_THREADS; number++) started.push(this.#add(number))
    await Promise.all(started)
  }

  tell(message: ToThread): void {
    for (const { worker } of this.#threads) worker.postMessage(message)
  }

  /** Resolves when every thread has applied everything up to this change. */
  async applied(upTo: number): Promise<void> {
    if (this.#appliedId() >= upTo) return
    await new Promise<void>((resolve) => this.#waiting.push({ upTo, resolve }))
  }

  /** Starts the end of every thread and resolves when all have ended. */
  async drain(): Promise<void> {
    this.#isDraining = true
    this.tell({ kind: 'drain' })
    await Promise.all(this.#threads.map(({ ended }) => ended))
  }

  #add(threadNumber: number): Promise<void> {
    const { config, limitMemory, metrics } = this.#deps
    const counterMemory = createCounterMemory()
    metrics.addThread(threadNumber, counterMemory)
    const data: ThreadData = { config, threadNumber, limitMemory, counterMemory }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data })
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    const thread: Thread = { worker, appliedId: -1, ended }
    this.#threads[threadNumber] = thread
    return new Promise((resolve, reject) => {
      worker.on('message', (message: ToMain) => {
        if (message.kind === 'listening') resolve()
        else if (message.kind === 'listen-failed') reject(new Error('a thread cannot listen'))
        else if (message.kind === 'bug') this.#lose(threadNumber, message.bug)
        else this.#hear(threadNumber, thread, message)
      })
      worker.once('error', (error) => {
        reject(error)
        this.#lose(threadNumber, error)
      })
      worker.once('exit', (code) => {
        this.#lose(threadNumber, new Error(`exit code ${code}`))
        // A thread that has ended serves nothing, old or new: nobody need wait for it.
        thread.appliedId = Infinity
        this.#release()
      })
    })
  }

  /** An end that nobody asked for; told once, because the first one ends them all. */
  #lose(threadNumber: number, error: unknown): void {
    if (this.#isDraining) return
    this.#isDraining = true
    this.#deps.onDeath(threadNumber, error)
  }

  #hear(threadNumber: number, thread: Thread, message: ToMain): void {
    switch (message.kind) {
      case 'lookup':
        this.#deps.lookUp(message.secret, (answer) => thread.worker.postMessage(answer))
        break
      case 'applied':
        thread.appliedId = message.upTo
        this.#release()
        break
      case 'series': {
        const { index, family, labels } = message
        this.#deps.metrics.addSeries(threadNumber, index, family as Family, labels)
        break
      }
    }
  }

  #appliedId(): number {
    return Math.min(...this.#threads.map(({ appliedId }) => appliedId))
  }

  #release(): void {
    const appliedId = this.#appliedId()
    const due = this.#waiting.filter(({ upTo }) => upTo <= appliedId)
    this.#waiting = this.#waiting.filter(({ upTo }) => upTo > appliedId)
    for (const { resolve } of due) resolve()
  }
}
