// Who may call. Synchronous when the thread knows the key, which is nearly always; otherwise the exchange waits for one
// look-up that all requests with the same key share. A key that is known opens its endpoint only if it has not expired,
// the endpoint is not paused, and the caller's origin and address are on the endpoint's lists, where it has such lists.
import type { Clock } from '../clock.ts'
import type { Failure, Failures } from '../errors.ts'
import { type Exchange, waitsForKey } from '../exchange.ts'
import type { CachedKey, KeptRecord } from '../keys/cached-key.ts'
import type { KeyCache, Resolution } from '../keys/key-cache.ts'
import type { ThreadMetrics } from '../telemetry/thread-metrics.ts'
import type { Chains } from '../upstreams/chains.ts'

export interface AuthenticateDeps {
  readonly failures: Failures
  readonly clock: Clock
  readonly keys: KeyCache
  readonly chains: Chains
  readonly metrics: ThreadMetrics
  readonly clientAddressOf: (exchange: Exchange) => string
}

/**
 * Clears `waitsForKey` at once or later; `later` is called only if it was later. Returns a failure that is known at once.
 */
export type Authenticate = (
  exchange: Exchange,
  later: (exchange: Exchange, failure: Failure | null) => void
) => Failure | null

/**
 * Judges the key and its chain once more when the body is complete, which may be long after the head: what has changed
 * meanwhile counts. Nearly always that is a look at two fields. Sets `waitsForKey` when the key must be looked up again.
 */
export type Confirm = Authenticate

export function createAuthenticate(deps: AuthenticateDeps): {
  authenticate: Authenticate
  confirm: Confirm
} {
  const { failures, clock, keys, chains, metrics, clientAddressOf } = deps

  return {
    authenticate(exchange, later) {
      const resolution = keys.resolve(exchange.secret, exchange.startedMs)
      metrics.countCacheState(keys.lastState)
      return concludeOrWait(exchange, resolution, later)
    },

    confirm(exchange, later) {
      const { key, chain } = exchange
      if (key === null || key.isForgotten) {
        exchange.waitsFor |= waitsForKey
        return concludeOrWait(exchange, keys.resolve(exchange.secret, clock.nowMs()), later)
      }
      return chain === null || chain.isReplaced ? conclude(exchange, key) : checkExpiry(key.record)
    }
  }

  function concludeOrWait(
    exchange: Exchange,
    resolution: Resolution | null,
    later: Parameters<Authenticate>[1]
  ): Failure | null {
    if (resolution !== null) return conclude(exchange, resolution)
    keys.wait(exchange.secret, (resolved) => {
      if (!exchange.isOver) later(exchange, conclude(exchange, resolved))
    })
    return null
  }

  function conclude(exchange: Exchange, resolution: Resolution): Failure | null {
    exchange.waitsFor &= ~waitsForKey
    if (resolution === 'unknown') return failures.key_invalid
    if (resolution === 'unavailable') return failures.key_store_unavailable
    // Counted once, however often it is resolved; settle takes it back.
    if (exchange.key === null) resolution.holdings.exchanges++
    exchange.key = resolution
    exchange.chain = chains.get(resolution.record.chainId) ?? null
    return (
      refusalOf(resolution.record) ??
      checkCaller(exchange, resolution) ??
      (exchange.chain === null ? failures.upstream_unavailable : null)
    )
  }

  function refusalOf(record: KeptRecord): Failure | null {
    return record.refusal === null ? checkExpiry(record) : failures[record.refusal]
  }

  function checkExpiry({ expiresAtMs }: KeptRecord): Failure | null {
    return expiresAtMs !== 0 && expiresAtMs <= clock.wallMs() ? failures.key_expired : null
  }

  function checkCaller(
    exchange: Exchange,
    { allowedOrigins, allowedIps }: CachedKey
  ): Failure | null {
    if (allowedOrigins !== null && !allowedOrigins.has(exchange.origin)) {
      return failures.origin_not_allowed
    }
    if (allowedIps === null) return null
    const address = clientAddressOf(exchange)
    const family = address.includes(':') ? 'ipv6' : 'ipv4'
    return allowedIps.check(address, family) ? null : failures.ip_not_allowed
  }
}
