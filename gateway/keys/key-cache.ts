// The keys that one thread knows. It guarantees that a request with a known key waits for nothing, and that a change
// takes effect with the message that announces it.
//
// - A known key is fresh for KEY_CACHE_TTL. After that it still answers at once, while one look-up refreshes it; if the
//   database cannot be asked it goes on serving for KEY_CACHE_STALE. Deadlines are monotonic and kept here: quick-lru's
//   own maxAge uses the wall clock and deletes on expiry, so it could not serve stale.
// - Unknown keys are remembered in a cache of their own: a flood of junk must never evict a good key.
// - However many requests wait for a key, this thread asks for it once.
// - Changes name scopes (an endpoint, an org), so the cache keeps an index from scope to secrets.
import QuickLru from 'quick-lru'
import type { Clock } from '../clock.ts'
import { OrgHoldingsIndex } from '../org-holdings.ts'
import { CachedKey } from './cached-key.ts'
import { type ChangeNotice, type KeyRecord, scopeOf } from './key-record.ts'
import { ScopeIndex } from './scope-index.ts'
import { VainLookups } from './vain-lookups.ts'

export interface KeyCacheLimits {
  readonly freshMs: number
  readonly staleMs: number
  readonly keysMax: number
  readonly unknownMax: number
  readonly unknownMs: number
  /** Keys that are looked up at once: more than the main thread takes need not be sent to it. */
  readonly waitingMax: number
  /** KEY_UNKNOWN_PER_SECOND_MAX, of this thread: so that a flood ends here, and not after a message there and back. */
  readonly unknownPerSecondMax: number
}

/** `unknown`: never issued. `unavailable`: it cannot be told now, because the database cannot be asked. */
export type Resolution = CachedKey | 'unknown' | 'unavailable'
/** How a key was resolved; `refused` is one of a wrong form, for which nothing is ever looked up. */
export type CacheState = 'hit' | 'stale' | 'miss' | 'negative' | 'refused'
type Waiting = (resolution: Resolution) => void

interface Entry {
  readonly key: CachedKey
  freshUntilMs: number
  readonly staleUntilMs: number
}

export interface KeyCacheDeps {
  readonly clock: Clock
  readonly limits: KeyCacheLimits
  /** Asks the main thread; its answer comes back through `settle`. */
  readonly lookUp: (secret: string) => void
  readonly classify: (secret: string) => 'own' | 'imported' | 'malformed' | 'bad_checksum'
}

/** After a refresh that failed, a stale key is left alone for so long. */
const refreshPauseMs = 1000

export class KeyCache {
  /** How the last `resolve` was answered. */
  lastState: CacheState = 'hit'
  readonly #deps: KeyCacheDeps
  readonly #known: QuickLru<string, Entry>
  readonly #unknown: QuickLru<string, number>
  readonly #scopes = new ScopeIndex()
  readonly #holdings = new OrgHoldingsIndex()
  readonly #waiting = new Map<string, Waiting[]>()
  readonly #vain: VainLookups

  constructor(deps: KeyCacheDeps) {
    this.#deps = deps
    this.#vain = new VainLookups(deps.limits.unknownPerSecondMax, deps.clock.nowMs())
    this.#unknown = new QuickLru({ maxSize: deps.limits.unknownMax })
    this.#known = new QuickLru({
      maxSize: deps.limits.keysMax,
      onEviction: (secret, entry) => this.#unindex(secret, entry.key)
    })
  }

  get size(): number {
    return this.#known.size
  }

  /** What is known of a secret right now; null means: ask `wait`. `nowMs` is the caller's reading of the clock. */
  resolve(secret: string, nowMs: number): Resolution | null {
    const entry = this.#known.get(secret)
    if (entry !== undefined) {
      if (nowMs < entry.freshUntilMs) {
        this.lastState = 'hit'
        return entry.key
      }
      if (nowMs < entry.staleUntilMs) {
        this.lastState = 'stale'
        if (!this.#waiting.has(secret)) this.#ask(secret)
        return entry.key
      }
    }
    return this.#resolveUnknown(secret, nowMs)
  }

  /** Calls `waiting` once, when the database has been asked about the secret. */
  wait(secret: string, waiting: Waiting): void {
    const queue = this.#waiting.get(secret) ?? this.#ask(secret)
    queue.push(waiting)
  }

  /** The main thread's answer to a look-up. */
  settle(secret: string, answer: KeyRecord | null | 'unavailable'): void {
    const queue = this.#waiting.get(secret) ?? []
    this.#waiting.delete(secret)
    if (answer === null || answer === 'unavailable') this.#vain.count()
    const resolution = this.#remember(secret, answer)
    for (const waiting of queue) waiting(resolution)
  }

  apply(changes: readonly ChangeNotice[] | 'everything'): void {
    // A key may have been created under a secret that is remembered as unknown (imports), and a change does not say
    // which: the memory of unknown keys is small and starts anew.
    this.#unknown.clear()
    if (changes === 'everything') {
      for (const [, { key }] of this.#known) key.isForgotten = true
      this.#known.clear()
      this.#scopes.clear()
      return
    }
    for (const change of changes) {
      const scopeId = scopeOf(change)
      if (scopeId === null) continue
      for (const secret of this.#scopes.secretsOf(scopeId)) this.#forget(secret)
    }
  }

  #resolveUnknown(secret: string, nowMs: number): Resolution | null {
    const unknownUntilMs = this.#unknown.get(secret)
    if (unknownUntilMs !== undefined && nowMs < unknownUntilMs) {
      this.lastState = 'negative'
      return 'unknown'
    }
    const shape = this.#deps.classify(secret)
    if (shape === 'malformed' || shape === 'bad_checksum') {
      this.lastState = 'refused'
      return 'unknown'
    }
    this.lastState = 'miss'
    if (this.#waiting.has(secret)) return null
    const isFull = this.#waiting.size >= this.#deps.limits.waitingMax
    return isFull || this.#vain.areSpent(nowMs) ? 'unavailable' : null
  }

  #ask(secret: string): Waiting[] {
    const queue: Waiting[] = []
    this.#waiting.set(secret, queue)
    this.#deps.lookUp(secret)
    return queue
  }

  #remember(secret: string, answer: KeyRecord | null | 'unavailable'): Resolution {
    const nowMs = this.#deps.clock.nowMs()
    const { freshMs, staleMs, unknownMs } = this.#deps.limits
    if (answer === 'unavailable') {
      const stale = this.#known.peek(secret)
      if (stale !== undefined && nowMs < stale.staleUntilMs) {
        stale.freshUntilMs = Math.min(nowMs + refreshPauseMs, stale.staleUntilMs)
      }
      return 'unavailable'
    }
    this.#forget(secret)
    if (answer === null) {
      this.#unknown.set(secret, nowMs + unknownMs)
      return 'unknown'
    }
    const { endpointId, orgId } = answer
    const sibling = this.#known.peek(this.#scopes.secretOf(orgId) ?? '')
    const key = new CachedKey(answer, sibling?.key, this.#holdings.of(orgId))
    this.#known.set(secret, {
      key,
      freshUntilMs: nowMs + freshMs,
      staleUntilMs: nowMs + freshMs + staleMs
    })
    for (const scopeId of [endpointId, orgId]) this.#scopes.add(scopeId, secret)
    return key
  }

  #forget(secret: string): void {
    const entry = this.#known.peek(secret)
    if (entry === undefined) return
    this.#known.delete(secret)
    this.#unindex(secret, entry.key)
  }

  /** The key is not in the cache any more, and no change will find it. */
  #unindex(secret: string, key: CachedKey): void {
    key.isForgotten = true
    const { endpointId, orgId } = key.record
    for (const scopeId of [endpointId, orgId]) this.#scopes.remove(scopeId, secret)
  }
}
