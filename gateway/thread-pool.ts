// The worker threads as the main thread sees them: started together, told things together, and ended together. It knows
// which of them have applied a change, so that "applied" means: in force on every thread; and which have handed over
// their usage, so that "complete until" means: on every thread.
import { Worker } from 'node:worker_threads'
import type { Config } from './config.ts'
import { Milestone } from './milestone.ts'
import type { Family } from './telemetry/counters.ts'
import { createCounterMemory } from './telemetry/counters.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { SealedBank } from './telemetry/usage/columns.ts'
import type { FailedCall } from './telemetry/usage/samples.ts'
import type { ThreadData, ToMain, ToThread } from './threads.ts'

export interface ThreadPoolDeps {
  readonly config: Config
  readonly limitMemory: SharedArrayBuffer
  readonly metrics: Metrics
  readonly lookUp: (secret: string, answer: (message: ToThread) => void) => void
  readonly onUsage: (bank: SealedBank) => void
  readonly onFailedCalls: (calls: readonly FailedCall[]) => void
  /** A thread has ended by itself, or is about to because of a bug: the process cannot go on without it. */
  readonly onDeath: (threadNumber: number, error: unknown) => void
}

/** One that hangs must not keep the others' usage from being written. */
const sealTimeoutMs = 3000

interface Thread {
  readonly worker: Worker
  readonly ended: Promise<void>
  hasEnded: boolean
  /** Calls that it has recorded, up to the last that it handed over. */
  recorded: number
}

export class ThreadPool {
  readonly #deps: ThreadPoolDeps
  readonly #threads: Thread[] = []
  readonly #changes = new Milestone()
  readonly #seals = new Milestone()
  readonly #releases = new Milestone()
  #releaseRound = 0
  #releasing: ReadonlySet<string> = new Set()
  #sealRound = 0
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

  /** Resolves when every thread has applied everything up to this round. */
  async applied(round: number): Promise<void> {
    await this.#changes.reached(round)
  }

  /** Resolves when every thread has handed over what it had counted when it was asked. False when one takes too long. */
  async seal(): Promise<boolean> {
    this.#sealRound++
    this.tell({ kind: 'seal', round: this.#sealRound })
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), sealTimeoutMs)
    })
    const sealed = this.#seals.reached(this.#sealRound).then(() => true)
    const isComplete = await Promise.race([sealed, timeout])
    clearTimeout(timer)
    return isComplete
  }

  /** Makes every thread give up the series of these keys, and resolves when all have. One call at a time. */
  async releaseSeries(keyIds: ReadonlySet<string>): Promise<void> {
    this.#releaseRound++
    this.#releasing = keyIds
    this.tell({ kind: 'release-series', keyIds, round: this.#releaseRound })
    await this.#releases.reached(this.#releaseRound)
  }

  /** Calls that the threads have recorded in all, up to the last that each handed over. */
  get recorded(): number {
    return this.#threads.reduce((sum, { recorded }) => sum + recorded, 0)
  }

  /** Starts the end of every thread, which waits for requests under way, and resolves when all have ended. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isDraining = true
    this.tell({ kind: 'drain', timeoutMs })
    await Promise.all(this.#threads.map(({ ended }) => ended))
  }

  /** A drain under way waits no longer for requests. */
  cutShort(): void {
    if (this.#isDraining) this.tell({ kind: 'drain', timeoutMs: 0 })
  }

  get haveEnded(): boolean {
    return this.#threads.every(({ hasEnded }) => hasEnded)
  }

  #add(threadNumber: number): Promise<void> {
    const { config, limitMemory, metrics } = this.#deps
    const counterMemory = createCounterMemory()
    metrics.addThread(threadNumber, counterMemory)
    const data: ThreadData = { config, threadNumber, limitMemory, counterMemory }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data })
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    const thread: Thread = { worker, ended, hasEnded: false, recorded: 0 }
    void ended.then(() => {
      thread.hasEnded = true
    })
    this.#threads[threadNumber] = thread
    this.#changes.add(threadNumber)
    this.#seals.add(threadNumber)
    this.#releases.add(threadNumber)
    return new Promise((resolve, reject) => {
      worker.on('message', (message: ToMain) => {
        if (message.kind === 'listening') resolve()
        else if (message.kind === 'listen-failed') reject(new Error('a thread cannot listen'))
        else if (message.kind === 'bug') this.#lose(threadNumber, message.bug)
        else this.#hear(threadNumber, message)
      })
      worker.once('error', (error) => {
        reject(error)
        this.#lose(threadNumber, error)
      })
      worker.once('exit', (code) => {
        this.#lose(threadNumber, new Error(`exit code ${code}`))
        // A thread that has ended serves nothing, old or new, and has handed over what it had: nobody need wait for it.
        this.#changes.reach(threadNumber, Infinity)
        this.#seals.reach(threadNumber, Infinity)
        this.#releases.reach(threadNumber, Infinity)
      })
    })
  }

  /** An end that nobody asked for; told once, because the first one ends them all. */
  #lose(threadNumber: number, error: unknown): void {
    if (this.#isDraining) return
    this.#isDraining = true
    this.#deps.onDeath(threadNumber, error)
  }

  #hear(
    threadNumber: number,
    message: Exclude<ToMain, { kind: 'listening' | 'listen-failed' | 'bug' }>
  ): void {
    const thread = this.#threads[threadNumber]
    if (thread === undefined) return
    switch (message.kind) {
      case 'lookup':
        this.#deps.lookUp(message.secret, (answer) => thread.worker.postMessage(answer))
        break
      case 'applied':
        this.#changes.reach(threadNumber, message.round)
        break
      case 'usage':
        thread.recorded = message.bank.recorded
        this.#deps.onUsage(message.bank)
        break
      case 'failed-calls':
        this.#deps.onFailedCalls(message.calls)
        break
      case 'sealed':
        this.#seals.reach(threadNumber, message.round)
        break
      case 'method':
        this.tell(message)
        break
      case 'series-released':
        this.#deps.metrics.removeKeys(threadNumber, this.#releasing)
        this.#releases.reach(threadNumber, message.round)
        break
      case 'series': {
        const { index, family, labels } = message
        this.#deps.metrics.addSeries(threadNumber, index, family as Family, labels)
        break
      }
    }
  }
}
