// Keeps the day's quota consumption in the database, so that a kill loses at most an interval of it, and brings in what
// other gateways have used, so that several gateways on one database converge on one quota.
//
// Each writer owns its rows (scope, day, writer) and writes absolute figures: writing one again after a commit whose
// outcome was lost changes nothing. What others used is the sum of the rows less our own; the difference to the last sum
// is added to the word. With G gateways a quota can be exceeded by at most what G − 1 of them admit in one interval. A
// word that is opened, or whose clock steps back a day, has a new writer: what was written before then is others'.
//
// A quota that is set in the middle of a day counts what was used before: the usage tables know it, to the precision of
// their flush. It goes into a row of its own (`usedBeforeWriter`), whichever gateway notices first.
//
// The statements are written out. Building them with Drizzle, every second whatever it took, made a call cost twice as much
// where calls come with 100,000 keys in turn (54 µs of CPU time, 27 now).
import type { Database } from '../../drizzle/client.ts'
import { newId } from '../../drizzle/ids.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../telemetry/log.ts'
import { addUsed, readUsed } from './quota.ts'

export interface QuotaLedgerDeps {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly words: BigInt64Array
}

/** How often consumption is written, milliseconds. */
const intervalMs = 1000
/** Where very many scopes are charged, rarer: writing fills at most a fifth of the time, up to this interval. */
const idleShare = 4
const intervalMsMax = 5000
/** Rows in one statement. */
const rowsPerStatement = 500

/** Whose row holds what a day's usage had before there was a quota. */
const usedBeforeWriter = 'before_quota'

interface Account {
  readonly scopeId: string
  day: number
  /** The id of our row. */
  writer: string
  /** Of the word's consumption, what others used: before this boot, or on other gateways. */
  others: number
  /** Of the word's consumption, what is written in our own row. */
  written: number
}

interface Due {
  readonly word: number
  readonly account: Account
  readonly day: number
  readonly own: number
}

export class QuotaLedger {
  readonly #deps: QuotaLedgerDeps
  readonly #accounts = new Map<number, Account>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  #failing = false
  #flushedMs: number
  #nextMs = intervalMs

  constructor(deps: QuotaLedgerDeps) {
    this.#deps = deps
    this.#flushedMs = deps.clock.nowMs()
  }

  /** Seconds since everything was last written. */
  get lagSeconds(): number {
    return (this.#deps.clock.nowMs() - this.#flushedMs) / 1000
  }

  /** What the word of a scope was opened with came from the database: it is others' consumption. */
  open(word: number, scopeId: string, day: number, usedByOthers: number): void {
    const account = { scopeId, day, writer: newId('boot'), others: usedByOthers, written: 0 }
    this.#accounts.set(word, account)
  }

  /** Others have used so much more than the word held. */
  raise(word: number, day: number, cost: number): void {
    const account = this.#accounts.get(word)
    if (account === undefined) return
    if (account.day !== day) this.#turn(account, day)
    account.others += cost
  }

  /** Whether the database has all that the word holds. */
  isWritten(word: number): boolean {
    const account = this.#accounts.get(word)
    if (account === undefined) return true
    const { day, used } = readUsed(this.#deps.words, word)
    return used === 0 || (account.day === day && used - account.others <= account.written)
  }

  /** The word means nothing any more. */
  close(word: number): void {
    this.#accounts.delete(word)
  }

  /** What the scopes have used on a day, by scope: what was charged to a quota, and what was used before there was one. */
  async loadUsed(scopeIds: readonly string[], day: number): Promise<ReadonlyMap<string, number>> {
    const { pool } = this.#deps.database
    const date = dateOf(day)
    const [charged] = await pool.query(
      `SELECT scope_id AS scopeId, SUM(IF(boot_id = ?, 0, used)) AS used,
       SUM(IF(boot_id = ?, used, 0)) AS usedBefore
       FROM quota_usage WHERE scope_id IN (?) AND day = ? GROUP BY scope_id`,
      [usedBeforeWriter, usedBeforeWriter, scopeIds, date]
    )
    const [costs] = await pool.query(
      `SELECT scope_id AS scopeId, SUM(cost) AS used FROM usage_days
       WHERE scope_id IN (?) AND key_id = '' AND starts_at = ? GROUP BY scope_id`,
      [scopeIds, date]
    )
    const used = new Map<string, number>()
    const before: [string, string, string, number][] = []
    for (const scopeId of scopeIds) {
      const known = sumsOf(charged, scopeId)
      const usedBefore = Math.max(known.usedBefore, sumsOf(costs, scopeId).used - known.used)
      if (usedBefore > known.usedBefore) {
        before.push([scopeId, date, usedBeforeWriter, usedBefore])
      }
      used.set(scopeId, known.used + usedBefore)
    }
    if (before.length > 0) await this.#insert(before)
    return used
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#flushAndGoOn()
    }, this.#nextMs)
  }

  /** Writes what is left, once, and ends. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
    await this.flush()
  }

  async #flushAndGoOn(): Promise<void> {
    await this.flush()
    if (!this.#stopped) this.start()
  }

  /** Never rejects: what could not be written is still in the slots, and is due the next time. */
  async flush(): Promise<void> {
    const { clock } = this.#deps
    const startMs = clock.nowMs()
    try {
      const due = this.#due()
      for (let first = 0; first < due.length; first += rowsPerStatement) {
        await this.#write(due.slice(first, first + rowsPerStatement))
      }
      this.#flushedMs = clock.nowMs()
      this.#failing = false
      const tookMs = this.#flushedMs - startMs
      this.#nextMs = Math.max(intervalMs, Math.min(idleShare * tookMs, intervalMsMax))
    } catch (error) {
      if (!this.#failing)
        this.#deps.log.error({ err: error }, 'quota consumption cannot be written')
      this.#failing = true
    }
  }

  /** Words that were charged since the last time, in the order of the primary key: unsorted writers deadlock. */
  #due(): Due[] {
    const due: Due[] = []
    for (const [word, account] of this.#accounts) {
      const { day, used } = readUsed(this.#deps.words, word)
      if (account.day !== day) this.#turn(account, day)
      const own = used - account.others
      if (own > account.written) due.push({ word, account, day, own })
    }
    return due.sort((a, b) => (a.account.scopeId < b.account.scopeId ? -1 : 1))
  }

  /** Another day. One that has been before has our row already, which says nothing of what the word holds now. */
  #turn(account: Account, day: number): void {
    if (day < account.day) account.writer = newId('boot')
    account.day = day
    account.others = 0
    account.written = 0
  }

  async #write(due: readonly Due[]): Promise<void> {
    await this.#insert(
      due.map(({ account, own }) => [account.scopeId, dateOf(account.day), account.writer, own])
    )
    for (const { account, own } of due) account.written = own
    await this.#bringInOthers(due)
  }

  async #insert(rows: readonly (readonly [string, string, string, number])[]): Promise<void> {
    await this.#deps.database.pool.query(
      `INSERT INTO quota_usage (scope_id, day, boot_id, used) VALUES ?
       ON DUPLICATE KEY UPDATE used = GREATEST(used, VALUES(used))`,
      [rows]
    )
  }

  async #bringInOthers(due: readonly Due[]): Promise<void> {
    const { database, words } = this.#deps
    const days = new Set(due.map(({ day }) => dateOf(day)))
    const [sums] = await database.pool.query(
      `SELECT CONCAT(scope_id, ' ', day) AS name, SUM(used) AS used FROM quota_usage
       WHERE scope_id IN (?) AND day IN (?) GROUP BY scope_id, day`,
      [due.map(({ account }) => account.scopeId), [...days]]
    )
    const usedByAll = new Map(
      (sums as { name: string; used: string }[]).map(({ name, used }) => [name, Number(used)])
    )
    for (const { word, account, day } of due) {
      const others = (usedByAll.get(`${account.scopeId} ${dateOf(day)}`) ?? 0) - account.written
      addUsed(words, word, BigInt(others - account.others), day)
      account.others = others
    }
  }
}

/** The sums of a scope, which the driver gives as text; 0 where there is no row. */
function sumsOf(rows: unknown, scopeId: string): { used: number; usedBefore: number } {
  const row = (rows as { scopeId: string; used: string; usedBefore?: string }[]).find(
    (one) => one.scopeId === scopeId
  )
  return { used: Number(row?.used ?? 0), usedBefore: Number(row?.usedBefore ?? 0) }
}

const dateOf = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 10)
