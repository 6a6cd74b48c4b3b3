// A key record as a thread keeps it: with what would otherwise be worked out on every request (sets for allowlists,
// rates as nanoseconds) and with the places where the thread counts for it. Made once for each cached key.
//
// A thread may hold 100,000 of them and more. What a key has in common with others of its org (names, limits, the plan
// that its endpoint is on) is therefore kept once, which with small-map.ts and scope-index.ts takes the heap of a key in
// use from 2,400 bytes to 1,100 (measured with 100,000 keys of one org).
import { BlockList, isIPv6 } from 'node:net'
import { noWord } from '../limits/limit-words.ts'
import { quotaMax } from '../limits/quota.ts'
import { type Rate, rateOf } from '../limits/token-bucket.ts'
import { OrgHoldings } from '../org-holdings.ts'
import { SmallMap } from '../small-map.ts'
import type { KeyRecord, ScopeLimits } from './key-record.ts'

/** The limits of one scope, ready to charge; a null part does not limit. */
export interface Allowance {
  readonly scope: 'endpoint' | 'org'
  /** The words that are charged; see ScopeLimits. */
  readonly bucket: number
  readonly quotaWord: number
  readonly rate: Rate | null
  readonly burst: number
  readonly requestsPerSecond: number
  readonly quota: bigint | null
}

/** Of a record, what is looked at again after it was cached. */
export type KeptRecord = Pick<
  KeyRecord,
  | 'keyId'
  | 'endpointId'
  | 'orgId'
  | 'orgName'
  | 'chainId'
  | 'refusal'
  | 'expiresAtMs'
  | 'metricsKey'
>

export class CachedKey {
  readonly record: KeptRecord
  /** The endpoint's and the org's limits; empty when nothing limits the key. */
  readonly allowances: readonly Allowance[]
  readonly allowedMethods: ReadonlySet<string> | null
  readonly allowedOrigins: ReadonlySet<string> | null
  readonly allowedIps: BlockList | null
  /** What the org holds of this thread. */
  readonly holdings: OrgHoldings
  /** The cache has dropped it: whoever still holds it must resolve the secret again before trusting it. */
  isForgotten = false
  /** Indexes of this key's counters by HTTP status, filled by telemetry when first needed. */
  readonly counterByStatus = new SmallMap<number, number>()
  /** The epoch of those indexes; see telemetry/counters. */
  counterEpoch = 0
  /** Where the usage bank of that number counts this key's methods; kept by telemetry/usage/bank.ts. */
  usageBank = 0
  readonly usageRows = new SmallMap<string, number>()

  /** @param sibling another key, of the same org if there is one: what is equal in both is kept once. */
  constructor(record: KeyRecord, sibling?: CachedKey, holdings = new OrgHoldings()) {
    this.holdings = holdings
    const { keyId, endpointId, refusal, expiresAtMs, metricsKey } = record
    this.record = {
      keyId,
      endpointId,
      orgId: sameString(record.orgId, sibling?.record.orgId),
      orgName: sameString(record.orgName, sibling?.record.orgName),
      chainId: sameString(record.chainId, sibling?.record.chainId),
      refusal,
      expiresAtMs,
      metricsKey: sameString(sameString(metricsKey, keyId), sibling?.record.metricsKey)
    }
    const shared = sibling?.allowances ?? []
    this.allowances = [
      ...allowanceOf('endpoint', record.endpointLimits, shared),
      ...allowanceOf('org', record.orgLimits, shared)
    ]
    this.allowedMethods = record.allowedMethods && new Set(record.allowedMethods)
    this.allowedOrigins = record.allowedOrigins && new Set(record.allowedOrigins)
    this.allowedIps = record.allowedIps && blockListOf(record.allowedIps)
  }
}

/** Of two equal strings the one that is kept already. */
const sameString = (text: string, known: string | undefined): string =>
  text === known ? known : text

function allowanceOf(
  scope: Allowance['scope'],
  limits: ScopeLimits,
  shared: readonly Allowance[]
): Allowance[] {
  const { bucket, quotaWord, requestsPerSecond } = limits
  if (bucket === noWord && quotaWord === noWord) return []
  const burst = limits.burst ?? requestsPerSecond ?? 0
  // One that is above what can be counted is no limit that anybody reaches.
  const quotaCost = limits.dailyQuota === null ? null : Math.min(limits.dailyQuota, quotaMax)
  const known = shared.find((one) => one.scope === scope)
  const isSameRate = known?.burst === burst && known.requestsPerSecond === (requestsPerSecond ?? 0)
  const rate = isSameRate ? known.rate : rateOrNone(requestsPerSecond, burst)
  const isSameQuota = known?.quota === (quotaCost === null ? null : BigInt(quotaCost))
  const quota = isSameQuota ? known.quota : quotaCost === null ? null : BigInt(quotaCost)
  const isSameWords = known?.bucket === bucket && known.quotaWord === quotaWord
  if (known !== undefined && isSameWords && isSameRate && isSameQuota) return [known]
  const perSecond = requestsPerSecond ?? 0
  return [{ scope, bucket, quotaWord, rate, burst, requestsPerSecond: perSecond, quota }]
}

const rateOrNone = (requestsPerSecond: number | null, burst: number): Rate | null =>
  requestsPerSecond === null ? null : rateOf(requestsPerSecond, burst)

/** A list of addresses and CIDR blocks, IPv4 or IPv6. Throws on anything else. */
export function blockListOf(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits, ...rest] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    // Number('') is 0: `10.0.0.0/` would be everybody.
    else if (rest.length > 0 || !/^\d+$/.test(bits)) throw new Error(`${entry} is no CIDR block`)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

export function isAddressBlock(entry: string): boolean {
  try {
    blockListOf([entry])
    return true
  } catch {
    return false
  }
}
