import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const call = { jsonrpc: '2.0', id: 1, method: 'eth_blockNumber', params: [] }

const db = await createTestDatabase()
const upstream = await startUpstream()
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { GATEWAY_THREADS: '2', METRICS_KEYS_MAX: '2' }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})
const post = async (secret: string, body: unknown = call) => {
  const init = { method: 'POST', body: JSON.stringify(body), headers: { connection: 'close' } }
  return (await fetch(`${gateway.url}/api=${secret}`, init)).status
}
const { metric } = gateway

t.test('every request is counted once, with whatever end, over all threads', async (t) => {
  const tenant = await createTenant(db.database, {
    upstreamUrl: upstream.url,
    chain: { name: 'main-chain' },
    org: { name: 'Quote " and \\ backslash' },
    endpoint: { dailyQuota: 30 }
  })
  const statuses: number[] = []
  for (let n = 0; n < 40; n++) statuses.push(await post(tenant.secret))
  for (let n = 0; n < 5; n++) await post('unknown-key')
  t.equal(statuses.filter((status) => status === 200).length, 30)

  // A new series is announced to the main thread by a message.
  await until(async () => (await metric('http_requests_total')) === 45)
  const ofKey = ['requests_by_api_key', `api_key="${tenant.keyId}"`] as const
  t.equal(await metric(...ofKey, 'status="200"'), 30)
  t.equal(await metric(...ofKey, 'status="402"'), 10)
  t.equal(await metric(...ofKey, `org_id="${tenant.orgId}"`, 'chain="main-chain"'), 40)
  t.equal(await metric(...ofKey, 'org="Quote \\" and \\\\ backslash"'), 40)
  t.equal(await metric('http_requests_total', 'status_code="200"'), 30)
  t.equal(await metric('http_requests_total', 'status_code="402"'), 10)
  t.equal(await metric('http_requests_total', 'status_code="401"'), 5)
  t.equal(await metric('cache_hits'), 45)
  const rpc = ['sluice_gateway_rpc_requests_total', 'chain="main-chain"'] as const
  t.equal(await metric(...rpc, 'outcome="ok"'), 30)
  t.equal(await metric(...rpc, 'outcome="rate_limited"'), 10)
  const duration = 'sluice_gateway_rpc_duration_seconds'
  t.equal(await metric(`${duration}_count`, 'outcome="ok"'), 30)
  t.equal(await metric(`${duration}_bucket`, 'outcome="ok"', 'le="+Inf"'), 30)
  t.ok((await metric(`${duration}_sum`, 'outcome="ok"')) > 0)
  t.equal(await metric('sluice_gateway_upstream_requests_total', 'result="ok"'), 30)
  t.equal(await metric('sluice_gateway_failures_total', 'reason="quota_exceeded"'), 10)
})

t.test('the key is in the metrics by its public id only', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  await post(tenant.secret)
  await until(async () => (await metric('requests_by_api_key', tenant.keyId)) === 1)
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text()
  t.match(text, tenant.keyId)
  t.notMatch(text, tenant.secret)
})

t.test('keys beyond METRICS_KEYS_MAX share one series', async (t) => {
  const more = await Promise.all(
    [1, 2, 3].map(() => createTenant(db.database, { upstreamUrl: upstream.url }))
  )
  for (const { secret } of more) await post(secret)
  await until(
    async () => (await metric('requests_by_api_key', 'api_key="_other"', 'org_id="_other"')) === 3
  )
  t.pass('three keys in one series')
})

t.test('a method has a name in the metrics only after an upstream has answered it', async (t) => {
  const tenant = await createTenant(db.database, {
    upstreamUrl: upstream.url,
    chain: { name: 'named' }
  })
  const of = (method: string) =>
    metric('sluice_gateway_rpc_requests_total', 'chain="named"', `method="${method}"`)
  // Each thread learns for itself.
  for (let n = 0; n < 30; n++) await post(tenant.secret)
  t.ok((await of('eth_blockNumber')) >= 26)
  upstream.answer = ({ body }, response) =>
    response.end(`{"jsonrpc":"2.0","id":${JSON.parse(body).id},"error":{"code":-32601}}`)
  for (let n = 0; n < 10; n++) await post(tenant.secret, { ...call, method: `junk_${n}` })
  // A new series is announced to the main thread by a message.
  await until(async () => (await of('_other')) + (await of('eth_blockNumber')) === 40)
  t.ok((await of('_other')) >= 10, 'no junk has a name')
})

t.test('health and readiness say what is so', async (t) => {
  const health = await fetch(`${gateway.adminUrl}/healthz`)
  t.equal(health.status, 200)
  const { status, body } = await gateway.readyz()
  t.equal(status, 200)
  t.match(body, { status: 'ready', checks: { database: 'ok', keys: 'ok', threads: 'ok' } })
  t.equal((await fetch(`${gateway.adminUrl}/else`)).status, 404)
})
