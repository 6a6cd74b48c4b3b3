// Follows the change log, so that a change made by any control plane is in force on every thread of this gateway within
// a second, and proves it: a change is recorded as applied only when every thread has said so. All threads are told at
// once; a slow one delays the proof, and neither the other threads nor the changes that come after.
//
// Ids in the log commit in order and without gaps (see drizzle/schema/changes.ts), so one number says how far this
// gateway is. A gap therefore means that rows were removed while this gateway was cut off, and a smaller last id that
// the database was restored: both times everything that is cached is dropped.
import { eq, gt, sql } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
import { sentenceOfDatabaseProblem } from '../../drizzle/database-problem.ts'
import {
  chains,
  changeApplications,
  changeLog,
  changeSequence,
  gatewayNodes,
  upstreams
} from '../../drizzle/schema/index.ts'
import type { SecretBox } from '../../drizzle/secret-box.ts'
import type { Log } from '../telemetry/log.ts'
import type { ChainRecord } from '../threads.ts'
import type { ChangeNotice } from './key-record.ts'

export interface ChangeFeedDeps {
  readonly database: Database
  readonly secretBox: SecretBox
  readonly log: Log
  readonly nodeId: string
  readonly bootId: string
  readonly pollMs: number
  /** Chains first: a record may name a chain that the change brings. */
  readonly onChains: (chains: readonly ChainRecord[]) => void
  /** Tells every thread, without waiting. Rounds are numbered from 1. */
  readonly onChanges: (changes: readonly ChangeNotice[] | 'everything', round: number) => void
  /** Resolves when every thread has applied this round. */
  readonly applied: (round: number) => Promise<void>
  /** A reading of the log begins. Returns its number. */
  readonly onReading: () => number
  /** Every thread has applied all that was told up to the end of this reading. */
  readonly onHeard: (reading: number) => void
}

/** Changes that are read at once; a backlog is read in such pieces. */
const changesPerRead = 1000
/** How often the node says that it lives; the control plane counts nodes seen within 10 s. */
const heartbeatMs = 1000
/** A thread that needs longer than this to apply a change no longer holds up the next reading of the log, milliseconds. */
const proofWaitMs = 50

/** What was told, and is not proved yet. */
interface Told {
  readonly round: number
  readonly upTo: number
  readonly ids: readonly number[]
  readonly isStart: boolean
}

export class ChangeFeed {
  readonly #deps: ChangeFeedDeps
  /** The last change that the threads were told of; -1 before the log was read. */
  #toldId = -1
  /** The last change that every thread has applied; -1 before there is proof of any. */
  #appliedId = -1
  #round = 0
  #provedRound = 0
  #unproved: Told[] = []
  #toForget: string[] = []
  #absentChains: ReadonlySet<string> = new Set()
  /** Since when this gateway knows no older state: its start, or when it had to start over. */
  #since = new Date(0)
  #chainIds: ReadonlySet<string> = new Set()
  #announcing: Promise<void> = Promise.resolve()
  #nextHeartbeatMs = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  #failing = false
  #problem = ''

  constructor(deps: ChangeFeedDeps) {
    this.#deps = deps
  }

  /** Whether the log has been read at least once: before that no key may be trusted to the cache. */
  get isFollowing(): boolean {
    return this.#toldId >= 0
  }

  /** Whether the last look at the log failed. */
  get isFailing(): boolean {
    return this.#failing
  }

  /** What an operator can do about it, once it has failed. */
  get problem(): string {
    return this.#problem
  }

  start(): void {
    this.#running = this.#poll()
  }

  /** Makes sure that the threads know a chain: it may be newer than the last look at the log. */
  async bringChain(chainId: string): Promise<void> {
    if (this.#chainIds.has(chainId) || this.#absentChains.has(chainId)) return
    await this.#announceChains((known) => known.has(chainId))
    // A chain that is gone: asking again at each look-up of its keys would send all chains to all threads each time.
    if (!this.#chainIds.has(chainId)) this.#absentChains = new Set([...this.#absentChains, chainId])
  }

  /** Makes all threads forget the keys of these scopes with the next reading. */
  forget(scopeIds: readonly string[]): void {
    this.#toForget.push(...scopeIds)
  }

  /** Resolves when the poll under way has ended and no other will start. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async #poll(): Promise<void> {
    try {
      const reading = this.#deps.onReading()
      await this.#follow()
      await this.#prove()
      if (this.#provedRound === this.#round) this.#deps.onHeard(reading)
      if (performance.now() >= this.#nextHeartbeatMs) await this.#beat()
      if (this.#failing) this.#deps.log.info('the change log is readable again')
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#deps.log.error({ err: error }, 'the change log cannot be read')
      this.#failing = true
      this.#problem = sentenceOfDatabaseProblem(error) ?? 'unreachable'
    }
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#poll()
    }, this.#deps.pollMs)
  }

  async #follow(): Promise<void> {
    const lastId = await this.#loadLastId()
    if (this.#toldId < 0 || lastId < this.#toldId) {
      await this.#startOver(lastId)
      return
    }
    while (this.#toldId < lastId) {
      const changes = await this.#loadChanges()
      const upTo = changes.at(-1)?.id ?? lastId
      if (changes.length !== upTo - this.#toldId) {
        await this.#startOver(lastId)
        return
      }
      await this.#apply(changes, upTo)
    }
    const scopeIds = this.#toForget.splice(0)
    if (scopeIds.length > 0) this.#tell(scopeIds.map(forgetting), this.#toldId)
  }

  /** Forgets everything: what is read from now on is at least as new as `lastId`. */
  async #startOver(lastId: number): Promise<void> {
    await this.#announceChains()
    // What was told before need not be proved any more, and how far this gateway was says nothing.
    this.#unproved = []
    this.#appliedId = -1
    this.#tell('everything', lastId)
  }

  async #apply(changes: readonly ChangeNotice[], upTo: number): Promise<void> {
    if (changes.some(({ chainId, endpointId }) => chainId !== null && endpointId === null)) {
      await this.#announceChains()
    }
    this.#tell(changes, upTo)
  }

  #tell(changes: readonly ChangeNotice[] | 'everything', upTo: number): void {
    this.#round++
    const round = this.#round
    const isStart = changes === 'everything'
    const ids = isStart ? [] : changes.map(({ id }) => id).filter((id) => id > this.#toldId)
    this.#toldId = upTo
    this.#unproved.push({ round, upTo, ids, isStart })
    this.#deps.onChanges(changes, round)
    void this.#deps.applied(round).then(() => {
      this.#provedRound = Math.max(this.#provedRound, round)
    })
  }

  /** Records what every thread has applied. What a slow thread has not is left for the next time. */
  async #prove(): Promise<void> {
    if (this.#provedRound < this.#round) await this.#waitForThreads()
    const { nodeId, bootId, database } = this.#deps
    for (;;) {
      const [first] = this.#unproved
      if (first === undefined || first.round > this.#provedRound) return
      const { upTo, ids, isStart } = first
      if (isStart) this.#since = await this.#loadNow()
      this.#appliedId = upTo
      if (ids.length > 0) {
        await database.orm
          .insert(changeApplications)
          .values(ids.map((changeId) => ({ changeId, nodeId, bootId, appliedAt: now })))
          .onDuplicateKeyUpdate({ set: { bootId } })
      }
      if (ids.length > 0 || isStart) await this.#beat()
      // After the rows: what failed is written the next time.
      this.#unproved.shift()
    }
  }

  async #waitForThreads(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, proofWaitMs)
    })
    await Promise.race([this.#deps.applied(this.#round), timeout])
    clearTimeout(timer)
  }

  async #beat(): Promise<void> {
    // Nothing is in force on every thread yet.
    if (this.#appliedId < 0) return
    const { database, nodeId, bootId } = this.#deps
    const state = { bootId, bootedAt: this.#since, seenAt: now, appliedChangeId: this.#appliedId }
    await database.orm
      .insert(gatewayNodes)
      .values({ nodeId, ...state })
      .onDuplicateKeyUpdate({ set: state })
    this.#nextHeartbeatMs = performance.now() + heartbeatMs
  }

  async #loadNow(): Promise<Date> {
    const [[row]] = (await this.#deps.database.orm.execute(
      sql`SELECT ${now} AS now`
    )) as unknown as [[{ now: string }]]
    return new Date(`${row.now.replace(' ', 'T')}Z`)
  }

  /**
   * One at a time: of two that were read at once, the older could be told last, and a new chain would be gone again.
   * @param isNeedless looked at when it is this one's turn, after what others have read meanwhile.
   */
  async #announceChains(
    isNeedless: (known: ReadonlySet<string>) => boolean = () => false
  ): Promise<void> {
    const turn = this.#announcing.then(async () => {
      if (isNeedless(this.#chainIds)) return
      const chains = await this.#loadChains()
      this.#chainIds = new Set(chains.map(({ id }) => id))
      this.#absentChains = new Set()
      this.#deps.onChains(chains)
    })
    this.#announcing = turn.catch(() => undefined)
    await turn
  }

  async #loadLastId(): Promise<number> {
    const [row] = await this.#deps.database.orm
      .select({ lastId: changeSequence.lastId })
      .from(changeSequence)
      .where(eq(changeSequence.id, 1))
    if (row === undefined) throw new Error('change_sequence has no row: run `npm run migrate`')
    return row.lastId
  }

  async #loadChanges(): Promise<ChangeNotice[]> {
    return await this.#deps.database.orm
      .select({
        id: changeLog.id,
        entity: changeLog.entity,
        entityId: changeLog.entityId,
        orgId: changeLog.orgId,
        endpointId: changeLog.endpointId,
        chainId: changeLog.chainId
      })
      .from(changeLog)
      .where(gt(changeLog.id, this.#toldId))
      .orderBy(changeLog.id)
      .limit(changesPerRead)
  }

  async #loadChains(): Promise<ChainRecord[]> {
    const { orm } = this.#deps.database
    // One after the other: a chain that is seen was committed, and its upstreams with it. Both at once, on two
    // connections, a new chain could be seen without them.
    const chainRows = await orm.select().from(chains)
    const upstreamRows = await orm.select().from(upstreams).orderBy(upstreams.id)
    const openUpstreams = upstreamRows.flatMap((row) => this.#open(row))
    return chainRows.map(({ id, name, kind, methodWeights }) => ({
      id,
      name,
      kind,
      methodWeights,
      upstreams: openUpstreams.filter(({ chainId }) => chainId === id)
    }))
  }

  /** An upstream whose URL cannot be opened is left out and named, so that one wrong row stops one upstream only. */
  #open({
    id,
    chainId,
    url
  }: typeof upstreams.$inferSelect): { id: string; url: string; chainId: string }[] {
    try {
      return [{ id, chainId, url: this.#deps.secretBox.open(url, id) }]
    } catch (error) {
      this.#deps.log.error({ upstream: id, err: error }, 'the URL of an upstream cannot be opened')
      return []
    }
  }
}

/** A notice that no change is behind. */
const forgetting = (scopeId: string): ChangeNotice => ({
  id: 0,
  entity: 'endpoint',
  entityId: scopeId,
  orgId: null,
  endpointId: scopeId,
  chainId: null
})

/** The database's clock: gateways and control planes on several machines then mean the same moment. */
const now = sql<Date>`UTC_TIMESTAMP(3)`
