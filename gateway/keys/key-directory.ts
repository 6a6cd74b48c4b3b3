// The way from a secret to its record: one query, on the main thread, for all threads. It guarantees that
// - however many requests on however many threads wait for a key, the database is asked once;
// - a record that was read before a change and arrives after it is read again, so a slow look-up can never put an old
//   record back;
// - a database that cannot be asked is an answer (`unavailable`), given at once while the breaker is open, and never the
//   same as "no such key". One look-up is let through each second to find out whether it is back: recovery needs nobody;
// - a row that cannot be used stops its own key only;
// - look-ups in vain are bounded in rate (vain-lookups.ts).
import { eq } from 'drizzle-orm'
import { hashApiKey } from '../../drizzle/api-key.ts'
import { type Database, isConnectionFailure } from '../../drizzle/client.ts'
import { apiKeys, endpoints, orgs } from '../../drizzle/schema/index.ts'
import type { Clock } from '../clock.ts'
import { type LimitWords, noWord } from '../limits/limit-words.ts'
import { dayOf } from '../limits/quota.ts'
import { rateOf } from '../limits/token-bucket.ts'
import type { Log } from '../telemetry/log.ts'
import { CachedKey } from './cached-key.ts'
import type { ChangeNotice, KeyRecord, ScopeLimits } from './key-record.ts'
import type { MetricsKeys } from './metrics-keys.ts'
import { VainLookups } from './vain-lookups.ts'

export type LookupAnswer = KeyRecord | null | 'unavailable'
export type LookupResult = 'found' | 'unknown' | 'failed' | 'refused'

export interface KeyDirectoryDeps {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly limits: LimitWords
  /** What scopes have used on a day, by the database: for a quota that this gateway does not count yet. */
  readonly loadUsed: (
    scopeIds: readonly string[],
    day: number
  ) => Promise<ReadonlyMap<string, number>>
  readonly lookupsMax: number
  readonly queueMax: number
  /** KEY_UNKNOWN_PER_SECOND_MAX */
  readonly unknownPerSecondMax: number
  readonly metricsKeys: MetricsKeys
  /** Makes sure that the threads know the chain of a record before they get the record. */
  readonly bringChain: (chainId: string) => Promise<void>
  /** Called for every answer to a look-up; `refused` ones did not reach the database. */
  readonly onLookup: (result: LookupResult) => void
}

/** After a failure, how long until the next look-up tries the database. */
const trialPauseMs = 1000

export class KeyDirectory {
  readonly #deps: KeyDirectoryDeps
  readonly #waiting = new Map<string, ((answer: LookupAnswer) => void)[]>()
  readonly #queue: string[] = []
  /** Scopes that changed while look-ups were under way; see #isOutdated. */
  readonly #changedScopes = new Map<string, number>()
  #changes = 0
  #running = 0
  #isFailing = false
  /** While failing: whether the one look-up that tries the database is under way, and when the next may be. */
  #isTrying = false
  #nextTrialMs = 0
  /** Failures that opened the breaker: one of a look-up that began before the last of them is old news. */
  #outages = 0

  readonly #vain: VainLookups

  constructor(deps: KeyDirectoryDeps) {
    this.#deps = deps
    this.#vain = new VainLookups(deps.unknownPerSecondMax, deps.clock.nowMs())
  }

  /** Whether look-ups are answered `unavailable` without asking. */
  get isOpen(): boolean {
    return this.#isFailing && (this.#isTrying || this.#deps.clock.nowMs() < this.#nextTrialMs)
  }

  /** Calls `waiting` once, with the record, null (no such key), or `unavailable`. */
  lookUp(secret: string, waiting: (answer: LookupAnswer) => void): void {
    const { clock, queueMax } = this.#deps
    const waiters = this.#waiting.get(secret)
    if (waiters !== undefined) {
      waiters.push(waiting)
      return
    }
    if (this.isOpen || this.#queue.length >= queueMax || this.#vain.areSpent(clock.nowMs())) {
      this.#deps.onLookup('refused')
      waiting('unavailable')
      return
    }
    this.#isTrying = this.#isFailing
    this.#waiting.set(secret, [waiting])
    this.#queue.push(secret)
    this.#next()
  }

  /** Marks what look-ups under way may have read too early. Call before the threads are told. */
  apply(changes: readonly ChangeNotice[] | 'everything'): void {
    if (this.#running === 0) return
    this.#changes++
    const scopeIds = changes === 'everything' ? [anyKey] : changes.flatMap(scopesOf)
    for (const scopeId of scopeIds) this.#changedScopes.set(scopeId, this.#changes)
  }

  #next(): void {
    while (this.#running < this.#deps.lookupsMax) {
      const secret = this.#queue.shift()
      if (secret === undefined) return
      this.#running++
      void this.#load(secret)
    }
  }

  #finish(secret: string, answer: LookupAnswer): void {
    this.#running--
    if (answer === null) this.#vain.count()
    if (this.#running === 0) this.#changedScopes.clear()
    this.#deps.onLookup(answer === 'unavailable' ? 'failed' : answer === null ? 'unknown' : 'found')
    this.#answer(secret, answer)
    this.#next()
  }

  #answer(secret: string, answer: LookupAnswer): void {
    const waiters = this.#waiting.get(secret) ?? []
    this.#waiting.delete(secret)
    for (const waiting of waiters) waiting(answer)
  }

  /** Opens the breaker. Who waits is answered now: each of them would wait for a connection only to fail as well. */
  #open(): void {
    this.#outages++
    this.#isFailing = true
    this.#isTrying = false
    this.#nextTrialMs = this.#deps.clock.nowMs() + trialPauseMs
    for (const _queued of this.#queue.splice(0)) this.#deps.onLookup('refused')
    for (const secret of [...this.#waiting.keys()]) this.#answer(secret, 'unavailable')
  }

  /** Never rejects. */
  async #load(secret: string): Promise<void> {
    const outage = this.#outages
    let answer: LookupAnswer = 'unavailable'
    try {
      for (;;) {
        const readAfter = this.#changes
        const row = await this.#query(hashApiKey(secret))
        this.#isFailing = false
        if (row !== undefined) await this.#deps.bringChain(row.endpoint.chainId)
        const use = row === undefined ? null : await this.#loadUse(row)
        if (this.#isOutdated(row, readAfter) || this.#lacksUse(row, use)) continue
        answer = row === undefined || use === null ? null : this.#recordOf(row, use)
        break
      }
    } catch (error) {
      this.#fail(error, outage)
    }
    // In the same turn as the check: no change can come between the two.
    this.#finish(secret, answer)
  }

  /** @param outage the last one when the look-up began. */
  #fail(error: unknown, outage: number): void {
    // Drizzle's own error repeats the statement's parameters; the driver's error is its cause.
    const { cause = error } = error as Error
    if (!isConnectionFailure(error)) {
      this.#isTrying = false
      this.#deps.log.error({ err: cause }, 'an API key could not be looked up')
    } else if (outage === this.#outages) {
      this.#deps.log.warn({ err: cause }, 'API keys cannot be looked up')
      this.#open()
    }
  }

  #isOutdated(row: Row | undefined, readAfter: number): boolean {
    const scopes = row === undefined ? [anyKey, newKey] : [anyKey, row.endpoint.id, row.org.id]
    return scopes.some((scopeId) => (this.#changedScopes.get(scopeId) ?? 0) > readAfter)
  }

  async #query(hash: Buffer): Promise<Row | undefined> {
    const [row] = await this.#deps.database.orm
      .select({ key: apiKeys, endpoint: endpoints, org: orgs })
      .from(apiKeys)
      .innerJoin(endpoints, eq(endpoints.id, apiKeys.endpointId))
      .innerJoin(orgs, eq(orgs.id, endpoints.orgId))
      .where(eq(apiKeys.hash, hash))
    return row
  }

  /** What quotas that have no word yet are opened with: of one day, which need not be today's any more when it is here. */
  async #loadUse({ key, endpoint, org }: Row): Promise<Use> {
    const day = dayOf(this.#deps.clock.wallMs())
    if (refusalOf({ key, endpoint, org }) !== null) return { day, used: new Map() }
    const scopeIds = [endpoint, org].flatMap(({ id, dailyQuota }) =>
      dailyQuota === null || this.#deps.limits.hasQuota(id) ? [] : [id]
    )
    const used = scopeIds.length === 0 ? new Map() : await this.#deps.loadUsed(scopeIds, day)
    return { day, used }
  }

  /** A quota's word was given up while its scope was being read. */
  #lacksUse(row: Row | undefined, use: Use | null): boolean {
    if (row === undefined || use === null || refusalOf(row) !== null) return false
    return [row.endpoint, row.org].some(
      ({ id, dailyQuota }) =>
        dailyQuota !== null && !this.#deps.limits.hasQuota(id) && !use.used.has(id)
    )
  }

  #recordOf({ key, endpoint, org }: Row, use: Use): KeyRecord {
    const refusal = refusalOf({ key, endpoint, org })
    const record: KeyRecord = {
      keyId: key.id,
      endpointId: endpoint.id,
      orgId: org.id,
      orgName: org.name,
      chainId: endpoint.chainId,
      refusal,
      expiresAtMs: key.expiresAt?.getTime() ?? 0,
      endpointLimits: refusal === null ? this.#limitsOf(endpoint, use) : withoutWords(endpoint),
      orgLimits: refusal === null ? this.#limitsOf(org, use) : withoutWords(org),
      allowedMethods: endpoint.allowedMethods,
      allowedOrigins: endpoint.allowedOrigins,
      allowedIps: endpoint.allowedIps,
      metricsKey: this.#deps.metricsKeys.labelOf(key.id, endpoint.id, refusal !== null)
    }
    // Throws here what a thread could not use (an address list, a rate): there it would end the process.
    new CachedKey(record)
    return record
  }

  #limitsOf(scope: Row['endpoint'] | Row['org'], { day, used }: Use): ScopeLimits {
    const { id: scopeId, requestsPerSecond, burst, dailyQuota } = scope
    const { limits } = this.#deps
    const rate =
      requestsPerSecond === null ? null : rateOf(requestsPerSecond, burst ?? requestsPerSecond)
    const bucket = limits.bucketOf(scopeId, rate)
    if (dailyQuota === null) limits.endQuota(scopeId)
    const quotaWord =
      dailyQuota === null ? noWord : limits.quotaOf(scopeId, day, used.get(scopeId) ?? 0)
    if (bucket === null || quotaWord === null) throw new Error(exhausted)
    return { ...withoutWords(scope), bucket, quotaWord }
  }
}

const exhausted =
  'more endpoints and orgs with a limit are in use than LIMIT_SLOTS_MAX: those that are idle are being forgotten'

type RefusedBy = Pick<Row, 'key' | 'endpoint' | 'org'>

function refusalOf({ key, endpoint, org }: RefusedBy): KeyRecord['refusal'] {
  if (key.revokedAt !== null || endpoint.deletedAt !== null) return 'key_revoked'
  const isClosed = endpoint.status === 'paused' || org.suspendedAt !== null
  return isClosed ? 'endpoint_disabled' : null
}

/** Nobody charges a limit of a key that opens nothing. */
function withoutWords(scope: Row['endpoint'] | Row['org']): ScopeLimits {
  const { id: scopeId, requestsPerSecond, burst, dailyQuota } = scope
  return { scopeId, requestsPerSecond, burst, dailyQuota, bucket: noWord, quotaWord: noWord }
}

/** In the place of a scope: the change log had a gap; a key that did not exist may exist now. */
const anyKey = '*'
const newKey = 'new'

function scopesOf({ entity, endpointId, orgId }: ChangeNotice): string[] {
  if (endpointId !== null) return [endpointId, newKey]
  return entity === 'org' && orgId !== null ? [orgId] : []
}

interface Row {
  readonly key: typeof apiKeys.$inferSelect
  readonly endpoint: typeof endpoints.$inferSelect
  readonly org: typeof orgs.$inferSelect
}

/** By scope, what was used on that day. */
interface Use {
  readonly day: number
  readonly used: ReadonlyMap<string, number>
}
