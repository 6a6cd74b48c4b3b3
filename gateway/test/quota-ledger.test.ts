// The day's consumption survives a restart, and several gateways on one database share one quota.
import t from 'tap'
import { quotaUsage } from '../../drizzle/schema/index.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { type GatewayProcess, startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'

const db = await createTestDatabase()
const upstream = await startUpstream()
t.teardown(async () => {
  await upstream.stop()
  await db.drop()
})

const post = async (gateway: GatewayProcess, secret: string) =>
  (await fetch(`${gateway.url}/api=${secret}`, { method: 'POST', body })).status
const start = async (t: { teardown: (work: () => unknown) => void }, node: string) => {
  const gateway = await startGateway({ databaseUrl: db.url, env: { NODE_ID: node } })
  t.teardown(() => gateway.stop())
  return gateway
}
const usedIn = async () => {
  const rows = await db.database.orm.select().from(quotaUsage)
  return (scopeId: string) =>
    rows.filter((row) => row.scopeId === scopeId).reduce((sum, { used }) => sum + used, 0)
}

t.test('a gateway that is stopped has written all that was used', async (t) => {
  const tenant = await createTenant(db.database, {
    upstreamUrl: upstream.url,
    endpoint: { dailyQuota: 10 },
    org: { dailyQuota: 100 }
  })
  const first = await start(t, 'a')
  for (let n = 0; n < 7; n++) t.equal(await post(first, tenant.secret), 200)
  await first.stop()
  const used = await usedIn()
  t.equal(used(tenant.endpointId), 7)
  t.equal(used(tenant.orgId), 7)

  const second = await start(t, 'a')
  for (let n = 0; n < 3; n++) t.equal(await post(second, tenant.secret), 200)
  t.equal(await post(second, tenant.secret), 402)
})

t.test('a gateway writes what was used while it runs: after a kill it is still used', async (t) => {
  const tenant = await createTenant(db.database, {
    upstreamUrl: upstream.url,
    endpoint: { dailyQuota: 5 }
  })
  const first = await start(t, 'b')
  for (let n = 0; n < 5; n++) t.equal(await post(first, tenant.secret), 200)
  await until(async () => (await usedIn())(tenant.endpointId) === 5)
  first.child.kill('SIGKILL')
  const second = await start(t, 'b')
  t.equal(await post(second, tenant.secret), 402)
})

t.test('what one gateway uses is missing on the other', async (t) => {
  const tenant = await createTenant(db.database, {
    upstreamUrl: upstream.url,
    endpoint: { dailyQuota: 100 }
  })
  const [first, second] = await Promise.all([start(t, 'c'), start(t, 'd')])
  t.equal(await post(second, tenant.secret), 200, 'both know the endpoint')
  for (let n = 0; n < 99; n++) t.equal(await post(first, tenant.secret), 200)
  // Each learns of the other's consumption when it next writes something of its own.
  let admitted = 100
  const exhaust = async (gateway: GatewayProcess) =>
    await until(async () => {
      const status = await post(gateway, tenant.secret)
      if (status === 200) admitted++
      return status === 402
    })
  await exhaust(second)
  t.ok(admitted <= 200, `${admitted - 100} beyond the quota, while the second did not know`)
  await exhaust(first)
  await until(async () => (await usedIn())(tenant.endpointId) === admitted)
  t.equal(await post(first, tenant.secret), 402)
  t.equal(await post(second, tenant.secret), 402)
  t.equal((await usedIn())(tenant.endpointId), admitted, 'a refused call uses nothing')
})
