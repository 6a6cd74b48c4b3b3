// What the gateway knows about an api key: one plain object, made by the main thread from one database row and sent to
// the threads that asked. It holds all that the hot path needs and no secret.
import type { Reason } from '../errors.ts'

/** A limit of an endpoint or an org; null numbers mean that there is no such limit. */
export interface ScopeLimits {
  readonly scopeId: string
  /** The words in the limit memory: of the token bucket, and of the day's quota; noWord where there is no such limit. */
  readonly bucket: number
  readonly quotaWord: number
  readonly requestsPerSecond: number | null
  readonly burst: number | null
  readonly dailyQuota: number | null
}

export interface KeyRecord {
  readonly keyId: string
  readonly endpointId: string
  readonly orgId: string
  readonly orgName: string
  readonly chainId: string
  /** Why the key does not open its endpoint at all; null when it does. */
  readonly refusal: Extract<Reason, 'key_revoked' | 'endpoint_disabled'> | null
  /** Milliseconds since 1970; 0 when the key does not expire. */
  readonly expiresAtMs: number
  readonly endpointLimits: ScopeLimits
  readonly orgLimits: ScopeLimits
  readonly allowedMethods: readonly string[] | null
  readonly allowedOrigins: readonly string[] | null
  readonly allowedIps: readonly string[] | null
  /** The `api_key` label of its metrics: the key id, or `_other` beyond METRICS_KEYS_MAX. */
  readonly metricsKey: string
}

/** A row of the change log: whose cached records it makes stale. */
export interface ChangeNotice {
  readonly id: number
  readonly entity: 'key' | 'endpoint' | 'org' | 'chain' | 'upstream'
  readonly entityId: string
  readonly orgId: string | null
  readonly endpointId: string | null
  readonly chainId: string | null
}

/** The endpoint or org whose keys a change makes stale. A key's or endpoint's change names its org too, but leaves the org's other keys as they are. */
export function scopeOf({ entity, endpointId, orgId }: ChangeNotice): string | null {
  return endpointId ?? (entity === 'org' ? orgId : null)
}
