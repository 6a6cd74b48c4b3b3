// Follows the change log, so that a change made by any control plane is in force on every thread of this gateway within
// a second, and proves it: a change is recorded as applied only when every thread has said so.
//
// Ids in the log commit in order and without gaps (see drizzle/schema/changes.ts), so one number says how far this
// gateway is. A gap therefore means that rows were removed while this gateway was cut off, and a smaller last id that
// the database was restored: both times everything that is cached is dropped.
import { eq, gt, sql } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
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
  /** Resolves when every thread has applied the changes. */
  readonly onChanges: (
    changes: readonly ChangeNotice[] | 'everything',
    upTo: number
  ) => Promise<void>
}

/** Changes that are read at once; a backlog is read in such pieces. */
const changesPerRead = 1000
/** How often the node says that it lives; the control plane counts nodes seen within 10 s. */
const heartbeatMs = 1000

export class ChangeFeed {
  readonly #deps: ChangeFeedDeps
  #appliedId = -1
  /** Since when this gateway knows no older state: its start, or when it had to start over. */
  #since = new Date(0)
  #chainIds: ReadonlySet<string> = new Set()
  #announcing: Promise<void> = Promise.resolve()
  #nextHeartbeatMs = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  #failing = false

  constructor(deps: ChangeFeedDeps) {
    this.#deps = deps
  }

  /** Whether the log has been read at least once: before that no key may be trusted to the cache. */
  get isFollowing(): boolean {
    return this.#appliedId >= 0
  }

  /** Whether the last look at the log failed. */
  get isFailing(): boolean {
    return this.#failing
  }

  start(): void {
    this.#running = this.#poll()
  }

  /** Makes sure that the threads know a chain: it may be newer than the last look at the log. */
  async bringChain(chainId: string): Promise<void> {
    if (!this.#chainIds.has(chainId)) await this.#announceChains((known) => known.has(chainId))
  }

  /** Resolves when the poll under way has ended and no other will start. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async #poll(): Promise<void> {
    try {
      await this.#follow()
      if (performance.now() >= this.#nextHeartbeatMs) await this.#beat()
      if (this.#failing) this.#deps.log.info('the change log is readable again')
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#deps.log.error({ err: error }, 'the change log cannot be read')
      this.#failing = true
    }
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#poll()
    }, this.#deps.pollMs)
  }

  async #follow(): Promise<void> {
    const lastId = await this.#loadLastId()
    if (this.#appliedId < 0 || lastId < this.#appliedId) {
      await this.#startOver(lastId)
      return
    }
    while (this.#appliedId < lastId) {
      const changes = await this.#loadChanges()
      const upTo = changes.at(-1)?.id ?? lastId
      if (changes.length !== upTo - this.#appliedId) {
        await this.#startOver(lastId)
        return
      }
      await this.#apply(changes, upTo)
    }
  }

  /** Forgets everything: what is read from now on is at least as new as `lastId`. */
  async #startOver(lastId: number): Promise<void> {
    await this.#announceChains()
    await this.#deps.onChanges('everything', lastId)
    this.#since = await this.#loadNow()
    this.#appliedId = lastId
    await this.#beat()
  }

  async #apply(changes: readonly ChangeNotice[], upTo: number): Promise<void> {
    if (changes.some(({ chainId, endpointId }) => chainId !== null && endpointId === null)) {
      await this.#announceChains()
    }
    await this.#deps.onChanges(changes, upTo)
    const { nodeId, bootId, database } = this.#deps
    this.#appliedId = upTo
    await database.orm
      .insert(changeApplications)
      .values(changes.map(({ id }) => ({ changeId: id, nodeId, bootId, appliedAt: now })))
      .onDuplicateKeyUpdate({ set: { bootId } })
    await this.#beat()
  }

  async #beat(): Promise<void> {
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
      .where(gt(changeLog.id, this.#appliedId))
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

/** The database's clock: gateways and control planes on several machines then mean the same moment. */
const now = sql<Date>`UTC_TIMESTAMP(3)`
