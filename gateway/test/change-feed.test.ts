// A change is in force on every thread of every gateway as soon as the change log has been read, which is four times a
// second, and the database can tell since when.
import { eq, gte } from 'drizzle-orm'
import t, { type Test } from 'tap'
import {
  changeApplications,
  changeLog,
  changeSequence,
  gatewayNodes
} from '../../drizzle/schema/index.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'

const db = await createTestDatabase()
const upstream = await startUpstream()
const other = await startUpstream((_request, response) => response.end('"other"'))
const start = (id: string) =>
  startGateway({ databaseUrl: db.url, env: { GATEWAY_THREADS: '2', NODE_ID: id } })
const gateways = await Promise.all([start('first'), start('second')])
t.teardown(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await Promise.all([upstream.stop(), other.stop()])
  await db.drop()
})

/** Enough new connections that every thread of both gateways is asked. */
async function statuses(secret: string): Promise<Set<number>> {
  const calls = gateways.flatMap(({ url }) =>
    Array.from({ length: 12 }, async () => {
      const init = { method: 'POST', body, headers: { connection: 'close' } }
      const response = await fetch(`${url}/api=${secret}`, init)
      await response.arrayBuffer()
      return response.status
    })
  )
  return new Set(await Promise.all(calls))
}

/** Before any key that is cached would be looked up again by itself: the gateways keep keys for an hour. */
async function takesEffect(t: Test, secret: string, expected: number): Promise<void> {
  await until(async () => {
    const seen = await statuses(secret)
    return seen.size === 1 && seen.has(expected)
  })
  t.pass(`every thread answers ${expected}`)
}

const newTenant = async (t: Test) => {
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  t.same(await statuses(tenant.secret), new Set([200]))
  return tenant
}

t.test('a revoked key stops', async (t) => {
  const tenant = await newTenant(t)
  await tenant.updateKey({ revokedAt: new Date() })
  await takesEffect(t, tenant.secret, 401)
})

t.test('a rotated key: the new one works at once, the old one until its time', async (t) => {
  const tenant = await newTenant(t)
  const next = await tenant.addKey()
  await tenant.updateKey({ expiresAt: new Date(Date.now() + 60_000) })
  t.same(await statuses(next.secret), new Set([200]))
  t.same(await statuses(tenant.secret), new Set([200]))
  await tenant.updateKey({ expiresAt: new Date() })
  await takesEffect(t, tenant.secret, 401)
  t.same(await statuses(next.secret), new Set([200]))
})

t.test('a paused endpoint stops, and goes on when it is resumed', async (t) => {
  const tenant = await newTenant(t)
  await tenant.updateEndpoint({ status: 'paused' })
  await takesEffect(t, tenant.secret, 401)
  await tenant.updateEndpoint({ status: 'active' })
  await takesEffect(t, tenant.secret, 200)
})

t.test('a new limit of the endpoint, and of the org, limits', async (t) => {
  const tenant = await newTenant(t)
  await tenant.updateEndpoint({ dailyQuota: 1 })
  await takesEffect(t, tenant.secret, 402)
  await tenant.updateEndpoint({ dailyQuota: null })
  await takesEffect(t, tenant.secret, 200)
  await tenant.updateOrg({ dailyQuota: 1 })
  await takesEffect(t, tenant.secret, 402)
})

t.test('a change to one org leaves the keys of another in the cache', async (t) => {
  const [changed, untouched] = [await newTenant(t), await newTenant(t)]
  const lookups = async () =>
    (
      await Promise.all(gateways.map((one) => one.metric('sluice_gateway_key_lookups_total')))
    ).reduce((sum, one) => sum + one)
  await changed.updateKey({ revokedAt: new Date() })
  await takesEffect(t, changed.secret, 401)
  const before = await lookups()
  t.same(await statuses(untouched.secret), new Set([200]))
  t.equal(await lookups(), before)
})

t.test('an upstream that moved is followed', async (t) => {
  const tenant = await newTenant(t)
  await tenant.updateUpstream(other.url)
  await until(async () => {
    const before = upstream.received.length
    await statuses(tenant.secret)
    return upstream.received.length === before
  })
  t.ok(other.received.length > 0)
})

t.test(
  'chains that are made at the same moment are all known at once, and stay known',
  async (t) => {
    const init = { method: 'POST', body, headers: { connection: 'close' } }
    const ask = async (url: string, secret: string) =>
      (await fetch(`${url}/api=${secret}`, init)).status
    const [first, second] = gateways
    const tenants = await Promise.all(
      Array.from({ length: 80 }, async () => {
        const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
        const urls = [first?.url ?? '', second?.url ?? '']
        t.same(await Promise.all(urls.map((url) => ask(url, tenant.secret))), [200, 200])
        return tenant
      })
    )
    for (const { secret } of tenants) t.equal(await ask(first?.url ?? '', secret), 200)
  }
)

t.test('every gateway says what it has applied, and since when', async (t) => {
  const tenant = await newTenant(t)
  const id = await tenant.updateKey({ revokedAt: new Date() })
  const { orm } = db.database
  await until(async () => {
    const rows = await orm
      .select()
      .from(changeApplications)
      .where(eq(changeApplications.changeId, id))
    return rows.length === 2
  })
  const namesOfApplied = async () => {
    const nodes = await orm.select().from(gatewayNodes).where(gte(gatewayNodes.appliedChangeId, id))
    return nodes.map(({ nodeId }) => nodeId).sort()
  }
  // Written after the application of the change.
  await until(async () => (await namesOfApplied()).length === 2)
  t.same(await namesOfApplied(), ['first', 'second'])
  const [change] = await orm.select().from(changeLog).where(eq(changeLog.id, id))
  const rows = await orm
    .select()
    .from(changeApplications)
    .where(eq(changeApplications.changeId, id))
  for (const { appliedAt } of rows) {
    t.ok(appliedAt >= (change?.createdAt ?? appliedAt), 'applied after it was made')
  }
})

t.test('a gap in the log drops everything that is cached', async (t) => {
  const tenant = await newTenant(t)
  const { orm } = db.database
  // The change is lost from the log, as after a long time without a connection.
  const id = await orm.transaction(async (tx) => {
    const [row] = await tx.select().from(changeSequence)
    const next = (row?.lastId ?? 0) + 1
    await tx.update(changeSequence).set({ lastId: next })
    return next
  })
  await until(async () => {
    const nodes = await orm.select().from(gatewayNodes)
    return nodes.every(({ appliedChangeId }) => appliedChangeId >= id)
  })
  const misses = () => gateways[0]?.metric('cache_hits', 'miss') ?? Promise.resolve(0)
  const before = await misses()
  t.same(await statuses(tenant.secret), new Set([200]))
  t.ok((await misses()) > before, 'the key is looked up anew')
})
