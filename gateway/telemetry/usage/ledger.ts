// The ledger: what the threads counted, written so that every call is in the tables exactly once, whatever fails.
//
//   threads ──banks──▶ sums ──numbered──▶ flush ──one transaction──▶ tables                 (transaction.ts)
//                                           └──while that fails──▶ backlog ──▶ tables, in order   (backlog.ts)
//
// A dead database makes the ledger late, not wrong: at every tick of an outage what was counted goes to the disk, and
// comes back in order. What a SIGKILL takes is what was counted since the last tick, and the next start of this node says so.
import type { Database } from '../../../drizzle/client.ts'
import type { Clock } from '../../clock.ts'
import type { Log } from '../log.ts'
import { Backlog } from './backlog.ts'
import type { CallErrors } from './call-errors.ts'
import type { SealedBank } from './columns.ts'
import type { Flush } from './spool.ts'
import { UsageSums } from './sums.ts'
import {
  endWriter,
  findUncleanEnds,
  noteLastUse,
  registerWriter,
  type UncleanEnd,
  WriterMissingError,
  type Written,
  writeFlush
} from './transaction.ts'

export interface UsageLedgerDeps {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly nodeId: string
  readonly bootId: string
  /** USAGE_FLUSH_MS: the shortest time between two flushes. */
  readonly flushMs: number
  readonly spoolFolder: string
  /** USAGE_SPOOL_BYTES_MAX */
  readonly spoolBytesMax: number
  readonly callErrors: CallErrors
  /** Makes every thread hand over what it holds. False when one does not answer: what it holds comes later. */
  readonly sealThreads: () => Promise<boolean>
  /** Calls that the threads had ever recorded when they last handed over. */
  readonly recorded: () => number
}

/** Flushes that take long are made rarer: they fill at most a fifth of the time, and are at most this far apart. */
const idleShare = 4
const flushMsMax = 20_000
/** The longer an outage lasts, the rarer it is tried whether it is over. */
const outageShare = 0.1
/** A gateway that runs says so at least this often (keys/change-feed.ts). */
const seenEveryMs = 1000
/** What a last flush gets at shutdown before it goes to the disk instead. */
const lastFlushMs = 6000

export class UsageLedger {
  readonly #deps: UsageLedgerDeps
  readonly #backlog: Backlog
  #sums = new UsageSums()
  /** Numbered, tried perhaps, and not known to be written. Never more than one: what follows waits in the sums. */
  #next: Flush | null = null
  /** The last that was numbered, and the last that is known to be written. */
  #seq = 0
  #writtenSeq = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  /** All that is left goes to the disk: nothing is numbered for the database any more. */
  #isClosed = false
  /** Since when nothing could be written; monotonic milliseconds. */
  #failingSinceMs: number | null = null
  #isRegistered = false
  /** Wall time before which everything is in the sums, or in a flush. */
  #completeUntilMs: number
  #nextMs: number
  #flushedMs: number
  /** Calls of this boot that are in the tables. */
  flushed = 0
  /** Retries because of locks since this boot. */
  lockRetries = 0
  /** The last flush that had something in it. */
  last = { rows: 0, ms: 0 }
  /** At most so many seconds of an earlier run of this node, which was killed, are missing. */
  lostSecondsMax = 0

  constructor(deps: UsageLedgerDeps) {
    const { log, nodeId, bootId, spoolFolder: folder, spoolBytesMax: bytesMax } = deps
    const { pool } = deps.database
    this.#deps = deps
    this.#backlog = new Backlog({ pool, log, nodeId, bootId, folder, bytesMax })
    this.#completeUntilMs = deps.clock.wallMs()
    this.#nextMs = deps.flushMs
    this.#flushedMs = deps.clock.nowMs()
  }

  /** Calls that were handed over and are not known to be in the tables: in memory, or on the disk. */
  get pending(): number {
    return this.#sums.calls + (this.#next?.calls ?? 0) + this.#backlog.ownCalls
  }

  get recorded(): number {
    return this.#deps.recorded()
  }

  get spooled(): Pick<Backlog, 'size' | 'bytes' | 'damaged'> {
    return this.#backlog
  }

  /** Seconds since everything was last written. */
  get lagSeconds(): number {
    return (this.#deps.clock.nowMs() - this.#flushedMs) / 1000
  }

  receive(bank: SealedBank): void {
    this.#sums.add(bank)
  }

  /** Takes up what an earlier run left on the disk. */
  async start(): Promise<void> {
    await this.#backlog.open()
    const { size } = this.#backlog
    if (size > 0) this.#deps.log.info({ flushes: size }, 'usage of an earlier run waits')
    // If the database cannot be asked now, the first flush will ask it.
    await this.#register().catch(() => undefined)
    this.#schedule()
  }

  /** Writes all there is; what cannot be written soon goes to the disk. To be called when the threads have ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, lastFlushMs)
    })
    await Promise.race([this.#running.then(() => this.#flush()), deadline])
    clearTimeout(timer)
    this.#isClosed = true
    await this.#seal()
    const isWritten = this.#next === null && this.#backlog.size === 0 && this.#sums.calls === 0
    if (isWritten) await this.#sayGoodbye()
    else await this.#spoolAll()
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#flush().then(() => this.#schedule())
    }, this.#nextMs)
  }

  /** Never rejects. */
  async #flush(): Promise<void> {
    const { callErrors } = this.#deps
    try {
      await this.#seal()
      await this.#register()
      await this.#writeBacklog()
      if (this.#next !== null) await this.#writeNext(this.#next)
      if (this.#isClosed) return
      this.#next = this.#number()
      await this.#writeNext(this.#next)
      await callErrors.write()
      this.#succeed()
    } catch (error) {
      this.#fail(error)
      if (!this.#stopped) await this.#spoolAll()
    }
  }

  #succeed(): void {
    const { log, clock, flushMs } = this.#deps
    if (this.#failingSinceMs !== null) log.info('usage is written again')
    this.#failingSinceMs = null
    this.#flushedMs = clock.nowMs()
    this.#nextMs = Math.max(flushMs, Math.min(idleShare * this.last.ms, flushMsMax))
  }

  #fail(error: unknown): void {
    const { log, clock, flushMs } = this.#deps
    if (error instanceof WriterMissingError) this.#isRegistered = false
    if (this.#failingSinceMs === null) {
      log.error({ err: error }, 'usage cannot be written: it is kept')
      this.#failingSinceMs = clock.nowMs()
    }
    const outageMs = clock.nowMs() - this.#failingSinceMs
    this.#nextMs = Math.max(flushMs, Math.min(outageShare * outageMs, flushMsMax))
  }

  async #seal(): Promise<void> {
    const atMs = this.#deps.clock.wallMs()
    if (await this.#deps.sealThreads()) this.#completeUntilMs = atMs
  }

  /** The sums up to now as the next flush. An empty one moves `complete_until` all the same. */
  #number(): Flush {
    const { nodeId, bootId } = this.#deps
    const { minutes, calls } = this.#sums
    this.#sums = new UsageSums()
    this.#seq++
    return {
      nodeId,
      bootId,
      seq: this.#seq,
      completeUntilMs: this.#completeUntilMs,
      minutes,
      calls,
      isLast: this.#stopped
    }
  }

  async #register(): Promise<void> {
    if (this.#isRegistered) return
    const { database, bootId, nodeId, clock } = this.#deps
    const waitingMs = await this.#backlog.completeUntilMs()
    const completeUntil = new Date(Math.min(clock.wallMs(), waitingMs ?? Infinity))
    await registerWriter(database.pool, { bootId, nodeId, seq: this.#writtenSeq, completeUntil })
    for (const end of await findUncleanEnds(database.pool, bootId, nodeId)) await this.#tell(end)
    this.#isRegistered = true
  }

  /** An earlier boot of this node has not said goodbye: it was killed, unless its last words are on the disk. */
  async #tell({ bootId, completeUntil, seenAt }: UncleanEnd): Promise<void> {
    const { database, log, clock } = this.#deps
    const last = await this.#backlog.lastOf(bootId)
    if (last?.isLast) return
    // While the database is away nobody is seen: then all that is known is that it ended before now.
    const endMs = last !== null || seenAt === null ? clock.wallMs() : seenAt.getTime() + seenEveryMs
    const sinceMs = last?.completeUntilMs ?? completeUntil.getTime()
    this.lostSecondsMax = Math.max(this.lostSecondsMax, (endMs - sinceMs) / 1000)
    log.warn(
      { boot: bootId, since: new Date(sinceMs) },
      'an earlier run was killed: the calls of its last flush interval are not counted'
    )
    await endWriter(database.pool, bootId)
  }

  async #writeBacklog(): Promise<void> {
    const write = async (flush: Flush) => {
      const written = await this.#write(flush)
      await this.#noteLastUse(flush)
      return written
    }
    await this.#backlog.write(write, (ownCalls) => {
      this.flushed += ownCalls
    })
  }

  async #writeNext(flush: Flush): Promise<void> {
    await this.#write(flush)
    // While it was written, stop() may have moved it to the disk: then its calls wait there, to be found written.
    if (this.#next === flush) {
      this.#next = null
      this.flushed += flush.calls
    }
    await this.#noteLastUse(flush)
  }

  async #write(flush: Flush): Promise<Written> {
    const { database, clock, log, bootId } = this.#deps
    const isOwn = flush.bootId === bootId
    if (isOwn && flush.seq > this.#writtenSeq + 1) {
      throw new Error(`flush ${flush.seq} cannot be written before ${this.#writtenSeq + 1}`)
    }
    const startMs = clock.nowMs()
    const written = await writeFlush(database.pool, flush)
    if (isOwn) this.#writtenSeq = Math.max(this.#writtenSeq, flush.seq)
    this.lockRetries += written.retries
    if (written.gap > 0) {
      const about = { boot: flush.bootId, flushes: written.gap }
      log.error(about, 'the database has lost flushes that it had confirmed: was it put back?')
    }
    if (written.rows > 0) this.last = { rows: written.rows, ms: clock.nowMs() - startMs }
    return written
  }

  /** Not worth a failed flush: the next use notes it again. */
  async #noteLastUse(flush: Flush): Promise<void> {
    const { database, log } = this.#deps
    try {
      await noteLastUse(database.pool, flush)
    } catch (error) {
      log.warn({ err: error }, 'the last use of keys could not be noted')
    }
  }

  /** Moves everything to the disk. What the disk does not take stays in memory. */
  async #spoolAll(): Promise<void> {
    const { log } = this.#deps
    try {
      if (this.#next !== null) await this.#spool(this.#next)
      if (this.#sums.calls === 0 && !this.#isClosed) return
      this.#next = this.#number()
      await this.#spool(this.#next)
    } catch (error) {
      const about = { err: error, calls: this.pending }
      log.error(about, 'usage cannot be spooled either: it is in memory')
    }
  }

  async #spool(flush: Flush): Promise<void> {
    await this.#backlog.add(flush, this.#isClosed)
    // In the same moment, or a scrape in between would count its calls twice.
    if (this.#next === flush) this.#next = null
  }

  async #sayGoodbye(): Promise<void> {
    const { database, bootId, log } = this.#deps
    try {
      if (this.#isRegistered) await endWriter(database.pool, bootId)
    } catch (error) {
      log.warn({ err: error }, 'the end of this run could not be noted')
    }
  }
}
