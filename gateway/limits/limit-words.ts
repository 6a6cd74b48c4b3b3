// The shared memory behind every limit: one 64-bit word for each token bucket and one for each quota of the day. All
// threads change them by compare-and-swap, so a limit is exact however many threads serve a key: 20–40 ns a charge here,
// and no lock that a descheduled thread could hold. The main thread gives the words out; a thread only sees their
// numbers, inside key records.
//
// - A word means one thing while anybody can know its number. A bucket whose rate changes gets another word, so no thread
//   ever counts an old plan's prices into a new plan's bucket; what is owed moves over in tokens. What threads that have
//   not yet heard of the change still take from the old word is carried when the last of them has heard.
// - A word is used again after a quarantine: every thread has applied a reading of the change log that began after the
//   word was given up, so no cache holds its number, and what a request that was under way then could still do is over.
// - A scope (an endpoint or an org) that was changed or deleted and not asked for since gives its words back as soon as
//   they say nothing that the database does not know. When no word is free, the scopes that were not asked for longest
//   are forgotten on every thread, so that what is exhausted comes back by itself.
import type { Clock } from '../clock.ts'
import { addUsed, readUsed } from './quota.ts'
import { addOwed, convertOwed, owedNs, type Rate, rateOf } from './token-bucket.ts'

const wordsPerScope = 2

/** In the place of a word: no such limit. */
export const noWord = -1

/** @param scopesMax LIMIT_SLOTS_MAX: endpoints and orgs, each with a rate and a quota. */
export function createLimitMemory(scopesMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer(scopesMax * wordsPerScope * 8)
}

export interface LimitWordsDeps {
  readonly words: BigInt64Array
  readonly clock: Pick<Clock, 'nowMs' | 'nowNs'>
  /** How long a request can still use a limit that its thread has forgotten, milliseconds. */
  readonly graceMs: number
  /** Keeps the consumption of quota words in the database. */
  readonly ledger: {
    open(word: number, scopeId: string, day: number, usedByOthers: number): void
    /** Others have used so much more than the word held. */
    raise(word: number, day: number, cost: number): void
    /** Whether the database has all that the word holds. */
    isWritten(word: number): boolean
    close(word: number): void
  }
  /** Makes every thread forget the keys of these scopes; `hear` tells when they have. */
  readonly forget: (scopeIds: readonly string[]) => void
}

interface Scope {
  bucket: number
  rate: Rate | null
  quota: number
  /** Whether the plan has a quota. A word outlives it: what it holds may not be in the database yet. */
  hasQuota: boolean
  /** The reading of the change log at which the threads forgot its keys; -1 when a thread may know one. */
  forgottenAt: number
  /** When that was: from then on another plan may be in force than the one that is known here. */
  forgottenNs: bigint
}

interface Retired {
  readonly word: number
  readonly isQuota: boolean
  /** A thread may know the number until a later reading than this one was applied. */
  readonly reading: number
  /** Of a bucket: whose it was, and what was owed when its successor took over. */
  readonly from: { readonly scopeId: string; readonly rate: Rate; readonly tat: bigint } | null
  heardMs: number
}

/** How often words are looked through for some that can be used again, milliseconds. */
const sweepMs = 1000
/** Of the scopes that have words, the share that is forgotten when no word is free. */
const forgottenShare = 1 / 16

export class LimitWords {
  readonly #deps: LimitWordsDeps
  /** In the order in which they were last asked for. */
  readonly #scopes = new Map<string, Scope>()
  readonly #free: number[] = []
  #retired: Retired[] = []
  readonly #forgotten = new Set<string>()
  #fresh = 0
  #reading = 0
  #sweptMs = Number.NEGATIVE_INFINITY
  #isExhausted = false

  constructor(deps: LimitWordsDeps) {
    this.#deps = deps
  }

  /** Words that can be given out. */
  get left(): number {
    return this.#deps.words.length - this.#fresh + this.#free.length
  }

  /** The word of a scope's token bucket at this rate; noWord without a rate. Null when no word is free. */
  bucketOf(scopeId: string, rate: Rate | null): number | null {
    const scope = this.#scopes.get(scopeId)
    if (rate === null) {
      if (scope !== undefined) this.#giveUpBucket(scopeId, scope)
      return noWord
    }
    if (scope?.rate != null && isSame(scope.rate, rate)) {
      this.#touch(scopeId, scope)
      return scope.bucket
    }
    const word = this.#take()
    if (word === null) return null
    const { words, clock } = this.#deps
    const sinceNs =
      scope !== undefined && scope.forgottenAt >= 0 ? scope.forgottenNs : clock.nowNs()
    const changed = this.#touch(scopeId, scope)
    if (changed.rate !== null) {
      // Up to the change it came back at the old rate, from then on at the new one, whenever somebody asks.
      const owed = owedNs(words, changed.bucket, sinceNs)
      addOwed(words, word, rate, convertOwed(owed, changed.rate, rate), sinceNs)
      this.#giveUpBucket(scopeId, changed)
    }
    changed.bucket = word
    changed.rate = rate
    return word
  }

  /** Whether the scope's quota is being counted; if not, load what was used today before `quotaOf`. */
  hasQuota(scopeId: string): boolean {
    return this.#scopes.get(scopeId)?.hasQuota ?? false
  }

  /** The word of a scope's quota. Null when no word is free. @param used on `day`, by the database; for one that was not counted. */
  quotaOf(scopeId: string, day: number, used: number): number | null {
    const scope = this.#scopes.get(scopeId)
    if (scope !== undefined && scope.quota !== noWord) {
      this.#touch(scopeId, scope)
      if (!scope.hasQuota) this.#raise(scope.quota, day, used)
      scope.hasQuota = true
      return scope.quota
    }
    const word = this.#take()
    if (word === null) return null
    const opened = this.#touch(scopeId, scope)
    opened.quota = word
    opened.hasQuota = true
    addUsed(this.#deps.words, word, BigInt(used), day)
    this.#deps.ledger.open(word, scopeId, day, used)
    return word
  }

  /** The scope has no quota any more. */
  endQuota(scopeId: string): void {
    const scope = this.#scopes.get(scopeId)
    if (scope !== undefined) scope.hasQuota = false
  }

  /** A reading of the change log begins. Returns its number, for `hear`. */
  beginReading(): number {
    this.#reading++
    return this.#reading
  }

  /** The threads are being told to forget the keys of these scopes. */
  forget(scopeIds: Iterable<string>): void {
    const nowNs = this.#deps.clock.nowNs()
    for (const scopeId of scopeIds) {
      const scope = this.#scopes.get(scopeId)
      if (scope === undefined) continue
      scope.forgottenAt = this.#reading
      scope.forgottenNs = nowNs
      this.#forgotten.add(scopeId)
    }
  }

  /** The threads are being told to forget every key. */
  forgetAll(): void {
    this.forget(this.#scopes.keys())
  }

  /** Every thread has applied what this reading brought, and all before it. */
  hear(reading: number): void {
    const nowMs = this.#deps.clock.nowMs()
    for (const one of this.#retired) {
      if (one.heardMs !== Number.POSITIVE_INFINITY || one.reading >= reading) continue
      one.heardMs = nowMs
      this.#carry(one)
    }
    if (nowMs - this.#sweptMs < sweepMs && !this.#isExhausted) return
    this.#sweptMs = nowMs
    this.#release(nowMs)
    this.#giveUpForgotten(reading)
    // Nothing more comes back by itself: the next scope that finds no word has others forgotten again.
    if (this.#retired.length === 0) this.#isExhausted = false
  }

  #touch(scopeId: string, known: Scope | undefined): Scope {
    const scope = known ?? {
      bucket: noWord,
      rate: null,
      quota: noWord,
      hasQuota: false,
      forgottenAt: -1,
      forgottenNs: 0n
    }
    scope.forgottenAt = -1
    this.#forgotten.delete(scopeId)
    this.#scopes.delete(scopeId)
    this.#scopes.set(scopeId, scope)
    return scope
  }

  #take(): number | null {
    const word = this.#free.pop() ?? (this.#fresh < this.#deps.words.length ? this.#fresh++ : null)
    if (word === null) this.#relieve()
    else this.#isExhausted = false
    return word
  }

  /** No word is free: has the scopes forgotten that were not asked for longest. Once until a word is free again. */
  #relieve(): void {
    if (this.#isExhausted) return
    this.#isExhausted = true
    const count = Math.ceil(this.#scopes.size * forgottenShare)
    const scopeIds: string[] = []
    for (const [scopeId, { forgottenAt }] of this.#scopes) {
      if (scopeIds.length >= count) break
      if (forgottenAt < 0) scopeIds.push(scopeId)
    }
    this.#deps.forget(scopeIds)
  }

  #giveUpBucket(scopeId: string, scope: Scope): void {
    const { bucket: word, rate } = scope
    if (rate === null) return
    const from = { scopeId, rate, tat: Atomics.load(this.#deps.words, word) }
    this.#retire(word, false, from)
    scope.bucket = noWord
    scope.rate = null
  }

  #giveUpQuota(scope: Scope): void {
    if (scope.quota !== noWord) this.#retire(scope.quota, true, null)
    scope.quota = noWord
    scope.hasQuota = false
  }

  /** What was used while nobody counted. */
  #raise(word: number, day: number, used: number): void {
    const { words, ledger } = this.#deps
    const known = readUsed(words, word)
    if (known.day > day) return
    const missing = used - (known.day === day ? known.used : 0)
    if (missing <= 0) return
    addUsed(words, word, BigInt(missing), day)
    ledger.raise(word, day, missing)
  }

  #retire(word: number, isQuota: boolean, from: Retired['from']): void {
    const heardMs = Number.POSITIVE_INFINITY
    this.#retired.push({ word, isQuota, reading: this.#reading, from, heardMs })
  }

  /** What threads took from the old word after the new one had taken over, and still owe, is owed under the new rate. */
  #carry({ word, from }: Retired): void {
    if (from === null) return
    const successor = this.#scopes.get(from.scopeId)
    if (successor === undefined || successor.rate === null) return
    const { words, clock } = this.#deps
    const nowNs = clock.nowNs()
    const known = from.tat > nowNs ? from.tat - nowNs : 0n
    const extra = owedNs(words, word, nowNs) - known
    if (extra <= 0n) return
    const { bucket, rate } = successor
    addOwed(words, bucket, rate, convertOwed(extra, from.rate, rate), nowNs)
  }

  /** Whether the bucket may owe something, by whatever plan is in force since it was forgotten: 1 token a second is the least. */
  #mayOwe({ rate, bucket, forgottenNs }: Scope, nowNs: bigint): boolean {
    if (rate === null) return false
    const owed = owedNs(this.#deps.words, bucket, forgottenNs)
    return convertOwed(owed, rate, slowest) > nowNs - forgottenNs
  }

  /** The end of the quarantine. */
  #release(nowMs: number): void {
    const { words, graceMs, ledger } = this.#deps
    this.#retired = this.#retired.filter(({ word, isQuota, heardMs }) => {
      if (heardMs + graceMs > nowMs || (isQuota && !ledger.isWritten(word))) return true
      if (isQuota) ledger.close(word)
      Atomics.store(words, word, 0n)
      this.#free.push(word)
      return false
    })
  }

  /** @param reading applied by every thread: what was forgotten at it is in no cache. */
  #giveUpForgotten(reading: number): void {
    const nowNs = this.#deps.clock.nowNs()
    for (const scopeId of this.#forgotten) {
      const scope = this.#scopes.get(scopeId)
      if (scope === undefined || scope.forgottenAt > reading) continue
      // What the next look-up reads of the quota must be all.
      if (scope.quota !== noWord && !this.#deps.ledger.isWritten(scope.quota)) continue
      // What a bucket still owes is in no database: it is forgiven only where new tenants would be refused for it.
      const isNew = nowNs - scope.forgottenNs < BigInt(this.#deps.graceMs) * 1_000_000n
      if (!this.#isExhausted && (isNew || this.#mayOwe(scope, nowNs))) continue
      this.#giveUpBucket(scopeId, scope)
      this.#giveUpQuota(scope)
      this.#scopes.delete(scopeId)
      this.#forgotten.delete(scopeId)
    }
  }
}

const slowest = rateOf(1, 1)

const isSame = (one: Rate, other: Rate): boolean =>
  one.tokenNs === other.tokenNs && one.burstNs === other.burstNs
