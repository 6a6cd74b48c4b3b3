// A key as a thread keeps it, with both buckets and both quotas, none of which is ever used up.
import type { KeyRecord, ScopeLimits } from '../../gateway/keys/key-record.ts'
import { createLimitMemory } from '../../gateway/limits/limit-words.ts'

export const limitWords = new BigInt64Array(createLimitMemory(4))

const limitsOf = (scopeId: string, word: number): ScopeLimits => ({
  scopeId,
  bucket: word,
  quotaWord: word + 1,
  requestsPerSecond: 1_000_000,
  burst: 1_000_000,
  dailyQuota: 1_000_000_000_000
})

export function keyRecordOf(number: number): KeyRecord {
  return {
    keyId: `key_${number}`,
    endpointId: `ep_${number}`,
    orgId: 'org_1',
    orgName: 'Bench',
    chainId: 'chn_1',
    refusal: null,
    expiresAtMs: 0,
    endpointLimits: limitsOf(`ep_${number}`, 0),
    orgLimits: limitsOf('org_1', 2),
    allowedMethods: null,
    allowedOrigins: null,
    allowedIps: null,
    metricsKey: `key_${number}`
  }
}
