// An endpoint's life: created with its first key, limited, restricted, paused, deleted, and announced each time.
import t from 'tap'
import { classifyApiKey, hashApiKey } from '../../drizzle/api-key.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'

const plane = await startControlPlane({ config: { endpointsPerOrgMax: 5 } })
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')

async function lastChange() {
  const [rows] = await plane.database.pool.query(
    'SELECT * FROM change_log ORDER BY id DESC LIMIT 1'
  )
  return (rows as Record<string, unknown>[])[0]
}

t.test('create answers the secret once, ready to be pasted', async (t) => {
  const endpoint = await endpointOf(plane, ann, { requests_per_second: 5 })
  t.match(endpoint, {
    chain: 'demo',
    status: 'active',
    requests_per_second: 5,
    burst: 5,
    daily_quota: null,
    allowed_ips: null
  })
  const [key] = endpoint.keys
  t.equal(classifyApiKey(key.secret), 'own')
  t.equal(endpoint.url, `https://rpc.example.com/api=${key.secret}`)
  t.ok(key.secret.startsWith(key.prefix) && key.secret.endsWith(key.last4))
  const read = await ann.get(endpoint.path)
  t.notMatch(JSON.stringify(read.body), key.secret)
  t.equal(read.body.url, `https://rpc.example.com/api=${key.prefix}…${key.last4}`)
  const [rows] = await plane.database.pool.query('SELECT hash, secret FROM api_keys WHERE id = ?', [
    key.id
  ])
  const [row] = rows as { hash: Buffer; secret: Buffer }[]
  t.same(row?.hash, hashApiKey(key.secret))
  t.notOk(row?.secret.includes(key.secret), 'stored sealed')
})

t.test('every change is announced with the ids of what it makes stale', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const scope = { endpoint_id: endpoint.id, org_id: ann.orgId, chain_id: null }
  t.match(await lastChange(), { id: endpoint.change_id, entity: 'endpoint', ...scope })
  const paused = await ann.patch(endpoint.path, { status: 'paused' })
  t.match(await lastChange(), { id: paused.body.change_id, entity: 'endpoint', ...scope })
  const rotated = await ann.post(`${endpoint.path}/rotate`, { overlap_seconds: 0 })
  t.match(await lastChange(), { id: rotated.body.change_id, entity: 'key', ...scope })
  const revoked = await ann.post(`${endpoint.path}/keys/${rotated.body.keys[1].id}/revoke`)
  t.match(await lastChange(), { id: revoked.body.change_id, entity: 'key', ...scope })
  const deleted = await ann.delete(endpoint.path)
  t.match(await lastChange(), { id: deleted.body.change_id, entity: 'endpoint', ...scope })
})

t.test('update changes what is named and leaves the rest', async (t) => {
  const endpoint = await endpointOf(plane, ann, { requests_per_second: 5, daily_quota: 100 })
  const update = async (change: object) => (await ann.patch(endpoint.path, change)).body
  t.match(await update({ requests_per_second: 10 }), { burst: 10, daily_quota: 100 })
  t.match(await update({ burst: 50 }), { requests_per_second: 10, burst: 50 })
  t.match(await update({ requests_per_second: 20 }), { requests_per_second: 20, burst: 50 })
  t.match(await update({ requests_per_second: null }), { requests_per_second: null, burst: null })
  t.match(await update({ daily_quota: null, name: 'other' }), { daily_quota: null, name: 'other' })
  const restricted = await update({
    allowed_methods: ['eth_call', 'eth_blockNumber'],
    allowed_origins: ['https://app.example.com', 'http://localhost:3000'],
    allowed_ips: ['203.0.113.7', '10.0.0.0/8', '2001:db8::/32']
  })
  t.match(restricted, { allowed_methods: ['eth_call', 'eth_blockNumber'] })
  t.same((await update({ status: 'paused' })).allowed_ips, restricted.allowed_ips)
  t.equal((await update({ allowed_ips: null })).allowed_ips, null)
  await ann.delete(endpoint.path)
})

t.test('what an endpoint cannot be is told field by field', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const wrong: [object, string][] = [
    [{ requests_per_second: 0 }, '#/requests_per_second'],
    [{ requests_per_second: 1_000_001 }, '#/requests_per_second'],
    [{ requests_per_second: 1.5 }, '#/requests_per_second'],
    [{ requests_per_second: '5' }, '#/requests_per_second'],
    [{ burst: 5 }, '#/burst'],
    [{ daily_quota: 10_000_000_000_001 }, '#/daily_quota'],
    [{ status: 'gone' }, '#/status'],
    [{ name: '' }, '#/name'],
    [{ name: ' \u00a0 ' }, '#/name'],
    [{ name: 'a\u0000b' }, '#/name'],
    [{ name: 'x'.repeat(101) }, '#/name'],
    [{ allowed_methods: [] }, '#/allowed_methods'],
    [{ allowed_methods: ['a b'] }, '#/allowed_methods/0'],
    [{ allowed_methods: Array.from({ length: 101 }, (_, n) => `m${n}`) }, '#/allowed_methods'],
    [{ allowed_origins: ['https://app.example.com/'] }, '#/allowed_origins/0'],
    [{ allowed_origins: ['https://ok.example.com', 'App'] }, '#/allowed_origins/1'],
    [{ allowed_ips: ['10.0.0.0/33'] }, '#/allowed_ips/0'],
    [{ allowed_ips: ['fe80::1%eth0'] }, '#/allowed_ips/0'],
    [{ colour: 'blue' }, '#/colour'],
    [{}, '#']
  ]
  for (const [change, pointer] of wrong) {
    const answer = await ann.patch(endpoint.path, change)
    t.equal(answer.status, 400, JSON.stringify(change))
    t.equal(answer.body.errors?.[0]?.pointer, pointer, JSON.stringify(answer.body))
  }
  t.same((await ann.get(endpoint.path)).body.updated_at, endpoint.updated_at)
  await ann.delete(endpoint.path)
})

t.test('the longest name there may be is kept whole', async (t) => {
  const name = '👩‍🚀'.repeat(33)
  const endpoint = await endpointOf(plane, ann, { name })
  t.equal((await ann.get(endpoint.path)).body.name, name)
  await ann.delete(endpoint.path)
})

t.test('a chain that does not exist is told by name', async (t) => {
  const answer = await ann.post(`/v1/orgs/${ann.orgId}/endpoints`, { name: 'x', chain: 'nope' })
  t.equal(answer.status, 400)
  t.match(answer.body.errors[0], { pointer: '#/chain', detail: /nope/ })
})

t.test('a deleted endpoint is gone for everybody but the gateway', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  t.equal((await ann.delete(endpoint.path)).status, 200)
  t.equal((await ann.get(endpoint.path)).status, 404)
  t.equal((await ann.delete(endpoint.path)).status, 404)
  t.equal((await ann.patch(endpoint.path, { status: 'active' })).status, 404)
  t.equal((await ann.post(`${endpoint.path}/rotate`, { overlap_seconds: 0 })).status, 404)
  const reveal = await ann.post(`${endpoint.path}/keys/${endpoint.keys[0].id}/reveal`)
  t.equal(reveal.status, 404)
  const list = await ann.get(`/v1/orgs/${ann.orgId}/endpoints?limit=100`)
  t.notOk(list.body.data.some(({ id }: { id: string }) => id === endpoint.id))
})

t.test('an org has a limited number of endpoints', async (t) => {
  const bob = await member(plane, 'bob')
  for (let count = 0; count < 5; count++) await endpointOf(plane, bob)
  const answer = await bob.post(`/v1/orgs/${bob.orgId}/endpoints`, { name: 'x', chain: 'demo' })
  t.match(answer, { status: 409, body: { code: 'limit_reached' } })
})
