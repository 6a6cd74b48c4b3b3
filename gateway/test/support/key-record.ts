// A key as the main thread tells of it, without any limit.
import type { KeyRecord, ScopeLimits } from '../../keys/key-record.ts'
import { noWord } from '../../limits/limit-words.ts'

const unlimited: ScopeLimits = {
  scopeId: '',
  bucket: noWord,
  quotaWord: noWord,
  requestsPerSecond: null,
  burst: null,
  dailyQuota: null
}

export const unlimitedKey: KeyRecord = {
  keyId: 'key_1',
  endpointId: 'ep_1',
  orgId: 'org_1',
  orgName: 'Acme',
  chainId: 'chn_1',
  refusal: null,
  expiresAtMs: 0,
  endpointLimits: unlimited,
  orgLimits: unlimited,
  allowedMethods: null,
  allowedOrigins: null,
  allowedIps: null,
  metricsKey: 'key_1'
}
