// The ledger: what the threads counted, written so that every call is in the tables exactly once, whatever fails.
//
//   threads ──banks──▶ sums ──numbered──▶ flush ──one transaction──▶ tables        (transaction.ts)
//                                           └──while that fails──▶ spool ──▶ tables, in order   (spool.ts)
//
// A dead database makes the ledger late, not wrong: at every tick of an outage what was counted goes to the disk, and
// comes back in order. What a SIGKILL takes is what was counted since the last tick, and the next start of this node says so.
import type { Database } from '../../../drizzle/client.ts'
import type { Clock } from '../../clock.ts'
import type { Log } from '../log.ts'
import type { CallErrors } from './call-errors.ts'
import type { SealedBank } from './columns.ts'
import { type Flush, listSpool, readSpooled, removeSpooled, spool } from './spool.ts'
import { UsageSums } from './sums.ts'
import {
  endWriter,
  findUncleanEnds,
  noteLastUse,
  registerWriter,
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
  readonly callErrors: CallErrors
  /** Makes every thread hand over what it holds; resolves when all have. */
  readonly sealThreads: () => Promise<void>
  /** Calls that the threads had ever recorded when they last handed over. */
  readonly recorded: () => number
}

/** Flushes that take long are made rarer: they fill at most a fifth of the time, and are at most this far apart. */
const idleShare = 4
const flushMsMax = 20_000
/** A gateway that runs says so at least this often (keys/change-feed.ts). */
const seenEveryMs = 1000
/** What a last flush gets at shutdown before it goes to the spool instead. */
const lastFlushMs = 6000

/** A flush that is on the disk. */
interface Spooled {
  readonly name: string
  /** Calls in it that this boot counted and that are not in the tables. */
  ownCalls: number
}

export class UsageLedger {
  readonly #deps: UsageLedgerDeps
  #sums = new UsageSums()
  /** Numbered, tried perhaps, and not known to be written. Never more than one: what follows waits in the sums. */
  #next: Flush | null = null
  #spooled: Spooled[] = []
  #seq = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  #failing = false
  #isRegistered = false
  /** Wall time before which everything is in the sums, or in a flush. */
  #completeUntilMs = 0
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
    this.#deps = deps
    this.#nextMs = deps.flushMs
    this.#flushedMs = deps.clock.nowMs()
  }

  /** Calls that were handed over and are not known to be in the tables: in memory, or on the disk. */
  get pending(): number {
    const onDisk = this.#spooled.reduce((sum, { ownCalls }) => sum + ownCalls, 0)
    return this.#sums.calls + (this.#next?.calls ?? 0) + onDisk
  }

  get spooledCount(): number {
    return this.#spooled.length
  }

  /** Seconds since everything was last written. */
  get lagSeconds(): number {
    return (this.#deps.clock.nowMs() - this.#flushedMs) / 1000
  }

  get recorded(): number {
    return this.#deps.recorded()
  }

  receive(bank: SealedBank): void {
    this.#sums.add(bank)
  }

  /** Takes up what an earlier run left on the disk. */
  async start(): Promise<void> {
    const { spoolFolder, log } = this.#deps
    const names = await listSpool(spoolFolder)
    this.#spooled = names.map((name) => ({ name, ownCalls: 0 }))
    if (names.length > 0) log.info({ flushes: names.length }, 'usage of an earlier run waits')
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
    await this.#seal()
    const isWritten = this.#next === null && this.#spooled.length === 0 && this.#sums.calls === 0
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
    const { log, clock, callErrors } = this.#deps
    try {
      await this.#seal()
      await this.#register()
      await this.#writeSpooled()
      if (this.#next !== null) await this.#writeNext(this.#next)
      this.#next = this.#number()
      await this.#writeNext(this.#next)
      await callErrors.write()
      if (this.#failing) log.info('usage is written again')
      this.#failing = false
      this.#flushedMs = clock.nowMs()
    } catch (error) {
      if (!this.#failing) log.error({ err: error }, 'usage cannot be written: it is kept')
      this.#failing = true
      if (!this.#stopped) await this.#spoolAll()
    }
  }

  async #seal(): Promise<void> {
    const atMs = this.#deps.clock.wallMs()
    await this.#deps.sealThreads()
    this.#completeUntilMs = atMs
  }

  /** The sums up to now as the next flush. An empty one moves `complete_until` all the same. */
  #number(): Flush {
    const { minutes, calls } = this.#sums
    this.#sums = new UsageSums()
    this.#seq++
    return {
      bootId: this.#deps.bootId,
      seq: this.#seq,
      completeUntilMs: this.#completeUntilMs,
      minutes,
      calls,
      isLast: this.#stopped
    }
  }

  async #register(): Promise<void> {
    if (this.#isRegistered) return
    const { database, bootId, nodeId, log, clock } = this.#deps
    await registerWriter(database.pool, bootId, nodeId)
    for (const end of await findUncleanEnds(database.pool, bootId, nodeId)) {
      // Its last words may be on the disk: then #writeSpooled ends it.
      if (await this.#endedInOrder(end.bootId)) continue
      const endMs = end.seenAt === null ? clock.wallMs() : end.seenAt.getTime() + seenEveryMs
      const seconds = Math.max(0, (endMs - end.completeUntil.getTime()) / 1000)
      this.lostSecondsMax = Math.max(this.lostSecondsMax, seconds)
      log.warn(
        { boot: end.bootId, since: end.completeUntil },
        'an earlier run was killed: the calls of its last flush interval are not counted'
      )
      await endWriter(database.pool, end.bootId)
    }
    this.#isRegistered = true
  }

  async #endedInOrder(bootId: string): Promise<boolean> {
    const { spoolFolder } = this.#deps
    const last = this.#spooled.findLast(({ name }) => name.includes(bootId))
    if (last === undefined) return false
    const flush = await readSpooled(spoolFolder, last.name).catch(() => null)
    return flush?.isLast ?? false
  }

  async #writeSpooled(): Promise<void> {
    const { database, spoolFolder, log, nodeId } = this.#deps
    for (let first = this.#spooled[0]; first !== undefined; first = this.#spooled[0]) {
      const flush = await this.#readSpooled(first.name)
      if (flush !== null) {
        await registerWriter(database.pool, flush.bootId, nodeId)
        await this.#write(flush)
        this.flushed += first.ownCalls
        first.ownCalls = 0
        await removeSpooled(spoolFolder, first.name)
        if (flush.isLast) await endWriter(database.pool, flush.bootId)
        log.info({ file: first.name, calls: flush.calls }, 'spooled usage is written')
      }
      this.#spooled.shift()
    }
  }

  /** One that cannot be read is left on the disk for a person to look at. */
  async #readSpooled(name: string): Promise<Flush | null> {
    const { spoolFolder, log } = this.#deps
    try {
      return await readSpooled(spoolFolder, name)
    } catch (error) {
      log.error({ err: error, file: name }, 'spooled usage cannot be read: it is left where it is')
      return null
    }
  }

  async #writeNext(flush: Flush): Promise<void> {
    await this.#write(flush)
    this.flushed += flush.calls
    this.#next = null
    await noteLastUse(this.#deps.database.pool, flush)
  }

  async #write(flush: Flush): Promise<void> {
    const { database, clock, flushMs } = this.#deps
    const startMs = clock.nowMs()
    const { rows, retries } = await writeFlush(database.pool, flush)
    this.lockRetries += retries
    if (rows === 0) return
    const ms = clock.nowMs() - startMs
    this.last = { rows, ms }
    this.#nextMs = Math.max(flushMs, Math.min(idleShare * ms, flushMsMax))
  }

  /** Moves everything to the disk. What the disk does not take stays in memory. */
  async #spoolAll(): Promise<void> {
    try {
      if (this.#next !== null) await this.#spool(this.#next)
      const hasMore = this.#sums.calls > 0 || this.#stopped
      if (!hasMore) return
      this.#next = this.#number()
      await this.#spool(this.#next)
    } catch (error) {
      const { log } = this.#deps
      log.error(
        { err: error, calls: this.pending },
        'usage cannot be spooled either: it is in memory'
      )
    }
  }

  async #spool(flush: Flush): Promise<void> {
    const isNeeded = flush.calls > 0 || flush.isLast
    const name = isNeeded ? await spool(this.#deps.spoolFolder, flush) : null
    // Both at once, or a scrape in between would count its calls twice.
    if (name !== null) this.#spooled.push({ name, ownCalls: flush.calls })
    this.#next = null
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
