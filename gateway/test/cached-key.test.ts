// What cached keys share to be small, and what they must never share.
import t from 'tap'
import { CachedKey } from '../keys/cached-key.ts'
import type { KeyRecord, ScopeLimits } from '../keys/key-record.ts'
import { ScopeIndex } from '../keys/scope-index.ts'
import { noWord } from '../limits/limit-words.ts'
import { SmallMap } from '../small-map.ts'
import { unlimitedKey } from './support/key-record.ts'

const limits: ScopeLimits = {
  scopeId: 'ep_1',
  bucket: 2,
  quotaWord: 3,
  requestsPerSecond: 100,
  burst: 200,
  dailyQuota: 5000
}
const record: KeyRecord = {
  ...unlimitedKey,
  endpointLimits: limits,
  orgLimits: { ...limits, scopeId: 'org_1', bucket: 4, quotaWord: 5 }
}
const first = new CachedKey(record)

t.test('a key is the same whether or not it has a sibling', async (t) => {
  const variants: Partial<KeyRecord>[] = [
    {},
    { keyId: 'key_2', endpointId: 'ep_2', endpointLimits: { ...limits, bucket: 6, quotaWord: 7 } },
    { endpointLimits: { ...limits, requestsPerSecond: 99 } },
    { endpointLimits: { ...limits, requestsPerSecond: null } },
    { endpointLimits: { ...limits, burst: null } },
    { endpointLimits: { ...limits, dailyQuota: null } },
    { endpointLimits: { ...limits, dailyQuota: 5001 } },
    { endpointLimits: { ...limits, bucket: noWord, quotaWord: noWord } },
    { orgLimits: { ...limits, bucket: 2, quotaWord: 3 } },
    { orgLimits: { ...limits, bucket: noWord, quotaWord: noWord } },
    {
      orgId: 'org_2',
      orgName: 'Beta',
      orgLimits: { ...limits, bucket: 8, quotaWord: 9, burst: 7 }
    },
    { chainId: 'chn_2', metricsKey: '_other', refusal: 'key_revoked', expiresAtMs: 1 },
    { allowedMethods: ['eth_call'], allowedOrigins: ['https://a.example'] }
  ]
  for (const variant of variants) {
    const one = { ...record, ...variant }
    t.same(new CachedKey(one, first), new CachedKey(one), JSON.stringify(variant))
    for (const sibling of variants) {
      t.same(new CachedKey(one, new CachedKey({ ...record, ...sibling })), new CachedKey(one))
    }
  }
})

t.test('keys of one org share its allowance, and count for themselves', async (t) => {
  const second = new CachedKey(
    {
      ...record,
      keyId: 'key_2',
      endpointId: 'ep_2',
      endpointLimits: { ...limits, bucket: 6, quotaWord: 7 }
    },
    first
  )
  t.equal(second.allowances[1], first.allowances[1])
  t.not(second.allowances[0], first.allowances[0])
  t.equal(second.allowances[0]?.rate, first.allowances[0]?.rate)
  second.usageRows.set('eth_call', 35)
  second.counterByStatus.set(200, 7)
  t.equal(first.usageRows.get('eth_call'), undefined)
  t.equal(first.counterByStatus.get(200), undefined)
})

t.test('a small map is a map', async (t) => {
  const map = new SmallMap<string, number>()
  t.equal(map.get('a'), undefined)
  for (const [key, value] of [
    ['a', 0],
    ['b', 1],
    ['c', 2],
    ['b', 3],
    ['a', 4]
  ] as const) {
    map.set(key, value)
    t.equal(map.get(key), value)
  }
  t.same(
    ['a', 'b', 'c', 'd'].map((key) => map.get(key)),
    [4, 3, 2, undefined]
  )
  map.clear()
  t.same(
    ['a', 'b', 'c'].map((key) => map.get(key)),
    [undefined, undefined, undefined]
  )
})

t.test('a scope has the secrets that were added and not removed', async (t) => {
  const index = new ScopeIndex()
  t.same(index.secretsOf('ep_1'), [])
  t.equal(index.secretOf('ep_1'), undefined)
  index.add('ep_1', 'a')
  index.add('ep_1', 'a')
  t.same(index.secretsOf('ep_1'), ['a'])
  t.equal(index.secretOf('ep_1'), 'a')
  index.remove('ep_1', 'never added')
  index.add('ep_1', 'b')
  index.add('ep_1', 'c')
  index.remove('ep_1', 'a')
  t.same(index.secretsOf('ep_1'), ['b', 'c'])
  t.equal(index.secretOf('ep_1'), 'b')
  index.remove('ep_1', 'b')
  index.remove('ep_1', 'c')
  t.same(index.secretsOf('ep_1'), [])
  index.add('ep_1', 'd')
  t.same(index.secretsOf('ep_1'), ['d'])
  index.clear()
  t.same(index.secretsOf('ep_1'), [])
})
