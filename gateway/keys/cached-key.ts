// A key record as a thread keeps it: with what would otherwise be worked out on every request (sets for allowlists,
// rates as nanoseconds) and with the places where the thread counts for it. Made once for each cached key.
import { BlockList, isIPv6 } from 'node:net'
import { noSlot } from '../limits/limit-slots.ts'
import { type Rate, rateOf } from '../limits/token-bucket.ts'
import type { KeyRecord, ScopeLimits } from './key-record.ts'

/** The limits of one scope, ready to charge; a null part does not limit. */
export interface Allowance {
  readonly scope: 'endpoint' | 'org'
  readonly slot: number
  readonly rate: Rate | null
  readonly burst: number
  readonly requestsPerSecond: number
  readonly quota: bigint | null
}

export class CachedKey {
  readonly record: KeyRecord
  /** The endpoint's and the org's limits; empty when nothing limits the key. */
  readonly allowances: readonly Allowance[]
  readonly allowedMethods: ReadonlySet<string> | null
  readonly allowedOrigins: ReadonlySet<string> | null
  readonly allowedIps: BlockList | null
  /** Indexes of this key's counters by HTTP status, filled by telemetry when first needed. */
  readonly counterByStatus = new Map<number, number>()
  /** Where the usage bank of that number counts this key's methods; kept by telemetry/usage-bank. */
  usageBank = 0
  readonly usageRows = new Map<string, number>()

  constructor(record: KeyRecord) {
    this.record = record
    this.allowances = [
      ...allowanceOf('endpoint', record.endpointLimits),
      ...allowanceOf('org', record.orgLimits)
    ]
    this.allowedMethods = record.allowedMethods && new Set(record.allowedMethods)
    this.allowedOrigins = record.allowedOrigins && new Set(record.allowedOrigins)
    this.allowedIps = record.allowedIps && blockListOf(record.allowedIps)
  }
}

function allowanceOf(scope: Allowance['scope'], limits: ScopeLimits): Allowance[] {
  if (limits.slot === noSlot) return []
  const { slot, requestsPerSecond, dailyQuota } = limits
  const burst = limits.burst ?? requestsPerSecond ?? 0
  const rate = requestsPerSecond === null ? null : rateOf(requestsPerSecond, burst)
  const quota = dailyQuota === null ? null : BigInt(dailyQuota)
  return [{ scope, slot, rate, burst, requestsPerSecond: requestsPerSecond ?? 0, quota }]
}

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
