// Every call of a known key is in the ledger once, with its outcome, cost and bytes, in every table and grain, and the
// failed ones are kept for their owner to look into, without what could be a secret.
import { gzipSync } from 'node:zlib'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { apiKeys, callErrors } from '../../drizzle/schema/index.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant, type Tenant } from './support/tenant.ts'
import { echo, startUpstream } from './support/upstream.ts'
import { totalOf, usageOf, usageTables } from './support/usage.ts'

const db = await createTestDatabase()
const upstream = await startUpstream()
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { GATEWAY_THREADS: '2', USAGE_FLUSH_MS: '200', CHANGE_POLL_MS: '50' }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})

const call = (method = 'eth_blockNumber', id: unknown = 1, params: unknown[] = []) => ({
  jsonrpc: '2.0',
  id,
  method,
  params
})
async function post(tenant: Pick<Tenant, 'secret'>, body: unknown) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`${gateway.url}/api=${tenant.secret}`, {
    method: 'POST',
    body: text,
    headers: { connection: 'close' }
  })
  const answer = Buffer.from(await response.arrayBuffer())
  return { status: response.status, bytesIn: Buffer.byteLength(text), bytesOut: answer.length }
}
const usage = (tenant: Tenant, of: Parameters<typeof usageOf>[2] = {}) =>
  usageOf(db.database, tenant.endpointId, of)
const countedAre = (tenant: Tenant, calls: number) =>
  until(async () => (await usage(tenant)).calls >= calls)

t.test('calls, batches and refusals, in every table and grain', async (t) => {
  const tenant = await createTenant(db.database, {
    upstreamUrl: upstream.url,
    chain: { methodWeights: { eth_call: 10 } },
    endpoint: { allowedMethods: ['eth_call', 'eth_chainId'] }
  })
  const answers = [
    await post(tenant, call('eth_call')),
    await post(tenant, call('eth_chainId')),
    await post(tenant, [call('eth_call', 1), call('eth_chainId', 2), call('eth_call', 3)]),
    // Answered by us: on its own, and as one item of three.
    await post(tenant, call('eth_getLogs')),
    await post(tenant, [call('eth_call', 1), call('eth_getLogs', 2), { id: 3 }]),
    await post(tenant, '{"jsonrpc":'),
    await post(tenant, [])
  ]
  await countedAre(tenant, 11)
  const total = {
    calls: 11,
    ok: 6,
    client_error: 5,
    rate_limited: 0,
    upstream_error: 0,
    rpc_errors: 0,
    cost: 42,
    bytes_in: answers.reduce((sum, { bytesIn }) => sum + bytesIn, 0),
    bytes_out: answers.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
    latencies: 11
  }
  for (const table of usageTables) {
    t.same(await usage(tenant, { table }), total, `${table}, the detail`)
    t.same(await totalOf(db.database, tenant.endpointId, table), total, `${table}, the endpoint`)
    t.same(await totalOf(db.database, tenant.orgId, table), total, `${table}, the org`)
  }
  t.match(await usage(tenant, { method: 'eth_call' }), { calls: 4, cost: 40, ok: 4 })
  t.match(await usage(tenant, { method: 'eth_chainId' }), { calls: 2, cost: 2, ok: 2 })
  t.match(await usage(tenant, { method: '_other' }), { calls: 5, cost: 0, client_error: 5 })
})

t.test('what a limit refuses is rate_limited and costs nothing', async (t) => {
  const tenant = await createTenant(db.database, {
    upstreamUrl: upstream.url,
    endpoint: { dailyQuota: 3 }
  })
  for (let n = 0; n < 5; n++) await post(tenant, call())
  await post(tenant, [call(), call()])
  await countedAre(tenant, 7)
  t.match(await usage(tenant), { calls: 7, ok: 3, rate_limited: 4, cost: 3 })
})

t.test('a revoked key is counted as its own; a key that is not known is not counted', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  const other = await tenant.addKey()
  await post(tenant, call())
  await post(other, call())
  await tenant.updateKey({ revokedAt: new Date() })
  await until(async () => (await post(tenant, call())).status === 401)
  const recorded = await gateway.metric('sluice_gateway_usage_recorded_total')
  await post({ secret: 'nobodys-key' }, call())
  await until(async () => (await usage(tenant)).client_error >= 1)
  t.ok((await usage(tenant, { keyId: tenant.keyId })).client_error >= 1)
  t.match(await usage(tenant, { keyId: other.keyId }), { calls: 1, ok: 1 })
  t.ok(recorded > 0)
  await until(async () => {
    const [{ lastUsedAt } = { lastUsedAt: null }] = await db.database.orm
      .select({ lastUsedAt: apiKeys.lastUsedAt })
      .from(apiKeys)
      .where(eq(apiKeys.id, other.keyId))
    return lastUsedAt !== null && Math.abs(lastUsedAt.getTime() - Date.now()) < 60_000
  })
})

t.test('errors of the node are counted, also in batches and compressed', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  const failed = { code: -32000, message: 'execution reverted' }
  upstream.answer = ({ body, headers }, response) => {
    const parsed = JSON.parse(body)
    const one = ({ id, method }: { id: unknown; method: string }) =>
      method === 'eth_call' ? { id, error: failed } : { id, result: '0x1' }
    const text = JSON.stringify(Array.isArray(parsed) ? parsed.map(one).reverse() : one(parsed))
    response.setHeader('content-type', 'application/json')
    if (headers['x-zip'] === undefined) return response.end(text)
    response.setHeader('content-encoding', 'gzip')
    return response.end(gzipSync(text))
  }
  t.teardown(() => {
    upstream.answer = echo
  })
  await post(tenant, call('eth_call', 1, ['0xcafe']))
  await post(tenant, [call('eth_call', 1), call('eth_blockNumber', 2), call('eth_call', 'three')])
  await fetch(`${gateway.url}/api=${tenant.secret}`, {
    method: 'POST',
    body: JSON.stringify(call('eth_call')),
    headers: { 'x-zip': '1' }
  })
  await countedAre(tenant, 5)
  t.match(await usage(tenant), { calls: 5, ok: 5, rpc_errors: 4, cost: 5 })
  t.match(await usage(tenant, { method: 'eth_blockNumber' }), { calls: 1, rpc_errors: 0 })
})

t.test('failed calls are kept for their owner, without what could be a secret', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl: 'http://127.0.0.1:9' })
  const secretParams = ['0x0123', 'correct horse battery staple']
  await post(tenant, call('eth_call', 1, [{ to: '0xé' }, 'x'.repeat(600)]))
  await post(tenant, call('personal_unlockAccount', 2, secretParams))
  await post(tenant, '{"jsonrpc"')
  const errorsOf = () =>
    db.database.orm
      .select()
      .from(callErrors)
      .where(eq(callErrors.endpointId, tenant.endpointId))
      .orderBy(callErrors.id)
  await until(async () => (await errorsOf()).length === 3)
  const rows = await errorsOf()
  const byMethod = new Map(rows.map((row) => [row.method, row]))
  const unavailable = { reason: 'upstream_unavailable', code: -32603, status: 502 }
  const { orgId, keyId, upstreamId } = tenant
  t.match(byMethod.get('eth_call'), { ...unavailable, orgId, keyId, upstreamId })
  t.equal(Buffer.byteLength(byMethod.get('eth_call')?.params ?? ''), 512)
  t.match(byMethod.get('personal_unlockAccount'), { ...unavailable, params: null })
  t.match(byMethod.get('_other'), { reason: 'parse_error', code: -32700, status: 400 })
  t.ok(rows.every(({ requestId }) => requestId.length >= 8))
  t.notMatch(JSON.stringify(rows), /battery|slc_/)
})

t.test('one endpoint that fails all the time is sampled', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl: 'http://127.0.0.1:9' })
  const count = 300
  for (let sent = 0; sent < count; sent += 20) {
    await Promise.all(Array.from({ length: 20 }, () => post(tenant, call())))
  }
  await countedAre(tenant, count)
  t.match(await usage(tenant), { calls: count, upstream_error: count })
  const sampled = () =>
    db.database.orm.select().from(callErrors).where(eq(callErrors.endpointId, tenant.endpointId))
  await until(async () => (await sampled()).length > 0)
  const rows = await sampled()
  const perSecond = Map.groupBy(rows, ({ occurredAt }) => Math.floor(occurredAt.getTime() / 1000))
  // Two threads, whose seconds begin at other moments than the wall clock's.
  for (const [second, some] of perSecond) t.ok(some.length <= 20, `${some.length} in ${second}`)
})

t.test('nothing is unaccounted for', async (t) => {
  const { metric } = gateway
  const readings = async () => ({
    recorded: await metric('sluice_gateway_usage_recorded_total'),
    flushed: await metric('sluice_gateway_usage_flushed_total')
  })
  await until(async () => {
    const { recorded, flushed } = await readings()
    return recorded > 300 && recorded === flushed
  })
  t.equal(await metric('sluice_gateway_usage_unaccounted'), 0)
  t.equal(await metric('sluice_gateway_usage_pending'), 0)
  t.equal(
    (await readings()).recorded,
    await metric('sluice_gateway_rpc_requests_total'),
    'the ledger and the metrics count the same calls'
  )
})
