// A limit is what the plan says now: raised and lowered while there is debt, set in the middle of a day, and given back.
import t from 'tap'
import { quotaUsage, usageDays } from '../../drizzle/schema/index.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const call = { jsonrpc: '2.0', id: 1, method: 'eth_blockNumber', params: [] }
const body = JSON.stringify(call)
const batchOf = (count: number) =>
  JSON.stringify(Array.from({ length: count }, (_, id) => ({ ...call, id })))

const db = await createTestDatabase()
const upstream = await startUpstream()
t.teardown(async () => {
  await upstream.stop()
  await db.drop()
})
const start = async (env: Record<string, string> = {}) => {
  const gateway = await startGateway({
    databaseUrl: db.url,
    env: { UPSTREAM_TIMEOUT_MS: '1000', USAGE_FLUSH_MS: '200', ...env }
  })
  t.teardown(() => gateway.stop())
  const post = async (secret: string, text = body) => {
    const response = await fetch(`${gateway.url}/api=${secret}`, { method: 'POST', body: text })
    const answer = await response.text()
    return { status: response.status, headers: response.headers, answer }
  }
  /** The `error.data` of a refusal, of one call or of the first of a batch. */
  const dataOf = async (secret: string, text = body) => {
    const parsed = JSON.parse((await post(secret, text)).answer)
    const { error } = Array.isArray(parsed) ? parsed[0] : parsed
    return error?.data ?? {}
  }
  const misses = () => gateway.metric('cache_hits', 'miss')
  /** Resolves when the threads have forgotten a key, and so use what the database says now. */
  const heard = async (secret: string, change: () => Promise<unknown>) => {
    const before = await misses()
    await change()
    await until(async () => {
      await post(secret, '[]')
      return (await misses()) > before
    })
  }
  return { gateway, post, dataOf, heard }
}

const { post, dataOf, heard } = await start({ GATEWAY_THREADS: '1' })
const newTenant = (endpoint = {}, org = {}, chain = {}) =>
  createTenant(db.database, { upstreamUrl: upstream.url, endpoint, org, chain })

t.test('a rate that is raised while there is debt admits at once', async (t) => {
  const tenant = await newTenant({ requestsPerSecond: 1, burst: 1000 })
  t.equal((await post(tenant.secret, batchOf(1000))).status, 200)
  const refused = await dataOf(tenant.secret)
  t.equal(refused.reason, 'rate_limited')
  await heard(tenant.secret, () =>
    tenant.updateEndpoint({ requestsPerSecond: 1_000_000, burst: 1000 })
  )
  t.equal((await post(tenant.secret)).status, 200)
  t.equal((await post(tenant.secret, batchOf(900))).status, 200)
})

t.test('the rate of an org that is raised while there is debt admits at once', async (t) => {
  const tenant = await newTenant({}, { requestsPerSecond: 1, burst: 60 })
  t.equal((await post(tenant.secret, batchOf(60))).status, 200)
  t.equal((await dataOf(tenant.secret)).reason, 'rate_limited')
  await heard(tenant.secret, () => tenant.updateOrg({ requestsPerSecond: 5000, burst: 60 }))
  t.equal((await post(tenant.secret)).status, 200)
})

t.test('a rate that is lowered does not give back what was spent', async (t) => {
  const tenant = await newTenant({ requestsPerSecond: 1, burst: 1000 })
  t.equal((await post(tenant.secret, batchOf(999))).status, 200)
  await heard(tenant.secret, () => tenant.updateEndpoint({ requestsPerSecond: 1, burst: 100 }))
  t.equal((await post(tenant.secret, batchOf(100))).status, 429)
})

t.test('a quota that is set in the middle of a day counts what was used before', async (t) => {
  const tenant = await newTenant()
  t.equal((await post(tenant.secret, batchOf(50))).status, 200)
  await until(async () => {
    const rows = await db.database.orm.select().from(usageDays)
    return rows.some(({ scopeId, cost }) => scopeId === tenant.endpointId && cost === 50)
  })
  await heard(tenant.secret, () => tenant.updateEndpoint({ dailyQuota: 60 }))
  t.equal((await dataOf(tenant.secret, batchOf(11))).reason, 'quota_exceeded')
  t.equal((await post(tenant.secret, batchOf(10))).status, 200)
  t.equal((await dataOf(tenant.secret)).reason, 'quota_exceeded')
  // And so does every gateway that comes to it later.
  await until(async () => {
    const rows = await db.database.orm.select().from(quotaUsage)
    const ofEndpoint = rows.filter(({ scopeId }) => scopeId === tenant.endpointId)
    return ofEndpoint.reduce((sum, { used }) => sum + used, 0) === 60
  })
  const second = await start()
  t.equal((await second.dataOf(tenant.secret)).reason, 'quota_exceeded')
  await heard(tenant.secret, () => tenant.updateEndpoint({ dailyQuota: 70 }))
  t.equal((await post(tenant.secret, batchOf(10))).status, 200, 'raised by 10')
  t.equal((await dataOf(tenant.secret)).reason, 'quota_exceeded')
})

t.test(
  'a quota of the org that is set in the middle of a day counts all its endpoints',
  async (t) => {
    const tenant = await newTenant()
    const other = await tenant.addEndpoint()
    t.equal((await post(tenant.secret, batchOf(20))).status, 200)
    t.equal((await post(other.secret, batchOf(20))).status, 200)
    await until(async () => {
      const rows = await db.database.orm.select().from(usageDays)
      const ofOrg = rows.filter(({ scopeId }) => scopeId === tenant.orgId)
      return ofOrg.reduce((sum, { cost }) => sum + cost, 0) === 40
    })
    await heard(tenant.secret, () => tenant.updateOrg({ dailyQuota: 45 }))
    t.equal((await dataOf(other.secret, batchOf(6))).reason, 'quota_exceeded')
    t.equal((await post(other.secret, batchOf(5))).status, 200)
  }
)

t.test('a request above the burst is told that no wait helps, and both figures', async (t) => {
  const { secret } = await newTenant({ requestsPerSecond: 1, burst: 5 })
  const response = await post(secret, batchOf(6))
  t.equal(response.status, 400)
  for (const name of ['retry-after', 'ratelimit', 'ratelimit-policy']) {
    t.equal(response.headers.get(name), null, name)
  }
  const [first] = JSON.parse(response.answer)
  t.match(first.error, { code: -32600, data: { reason: 'cost_too_high', cost: 6, burst: 5 } })
  t.notOk('retry_after_ms' in first.error.data)
  t.match(first.error.data.detail, 'This request costs 6, and the endpoint has a burst of 5.')
  t.equal((await post(secret, batchOf(5))).status, 200, 'it has cost nothing')
  t.equal((await dataOf(secret, batchOf(6))).reason, 'cost_too_high', 'also while there is debt')
})

t.test('a request above the whole daily quota is told that no day is long enough', async (t) => {
  const { secret } = await newTenant({ requestsPerSecond: 100, burst: 100 }, { dailyQuota: 5 })
  const data = await dataOf(secret, batchOf(6))
  t.match(data, { reason: 'cost_too_high', cost: 6, daily_quota: 5 })
  t.notOk('resets_at' in data)
  t.match(data.detail, 'the org has a daily quota of 5')
  t.equal((await post(secret, batchOf(5))).status, 200)
})

t.test(
  'a batch with too many items costs 1, and is refused like any call without that',
  async (t) => {
    const { secret } = await newTenant({ dailyQuota: 2 })
    const tooMany = batchOf(1001)
    t.equal((await dataOf(secret, tooMany)).reason, 'batch_too_large')
    t.equal((await dataOf(secret, tooMany)).reason, 'batch_too_large')
    t.equal((await dataOf(secret, tooMany)).reason, 'quota_exceeded')
  }
)

t.test('endpoints that are deleted make room for the limits of others', async (t) => {
  const { post, dataOf, gateway } = await start({ LIMIT_SLOTS_MAX: '16' })
  const tenant = await newTenant({ requestsPerSecond: 10, burst: 10, dailyQuota: 1000 })
  const tenants = [tenant]
  for (let n = 1; n < 16; n++) {
    tenants.push(await newTenant({ requestsPerSecond: 10, burst: 10, dailyQuota: 1000 }))
  }
  for (const { secret } of tenants) t.equal((await post(secret)).status, 200)
  const late = await newTenant({ requestsPerSecond: 1, burst: 3, dailyQuota: 3 })
  t.equal((await dataOf(late.secret)).reason, 'key_store_unavailable')
  for (const one of tenants.slice(0, 8)) await one.updateEndpoint({ deletedAt: new Date() })
  await until(
    async () => (await post(late.secret)).status === 200,
    () => gateway.output()
  )
  t.equal((await post(late.secret, batchOf(2))).status, 200)
  t.ok([402, 429].includes((await post(late.secret)).status), 'with limits of its own')
})
