import { max } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { newApiKey } from '../../drizzle/api-key.ts'
import { changeLog, gatewayNodes } from '../../drizzle/schema/index.ts'
import { createTestDatabase, type TestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'

/** A tenant whose making the gateway has already heard of: a change makes it forget what it knew. */
async function settledTenant({ database }: TestDatabase, upstreamUrl: string) {
  const tenant = await createTenant(database, { upstreamUrl })
  const [last] = await database.orm.select({ id: max(changeLog.id) }).from(changeLog)
  await until(async () => {
    const [node] = await database.orm.select().from(gatewayNodes)
    return (node?.appliedChangeId ?? -1) >= (last?.id ?? 0)
  })
  return tenant
}

async function start(t: Test, threads: string) {
  const db = await createTestDatabase()
  const upstream = await startUpstream()
  const gateway = await startGateway({
    databaseUrl: db.url,
    env: { GATEWAY_THREADS: threads, KEY_UNKNOWN_PER_SECOND_MAX: '10000' }
  })
  t.teardown(async () => {
    await gateway.stop()
    await upstream.stop()
    await db.drop()
  })
  const newTenant = () => settledTenant(db, upstream.url)
  const post = async (secret: string) =>
    (await fetch(`${gateway.url}/api=${secret}`, { method: 'POST', body })).status
  const lookups = () => gateway.metric('sluice_gateway_key_lookups_total')
  const lookupsDuring = async (work: () => Promise<unknown>) => {
    const before = await lookups()
    await work()
    return (await lookups()) - before
  }
  const many = (count: number, secret: string) =>
    Promise.all(Array.from({ length: count }, () => post(secret)))
  return { db, upstream, newTenant, post, lookupsDuring, many }
}

for (const threads of ['1', '2']) {
  t.test(`with ${threads} threads`, async (t) => {
    const { newTenant, post, lookupsDuring, many } = await start(t, threads)

    await t.test('200 concurrent requests on one cold key ask the database once', async (t) => {
      const { secret } = await newTenant()
      const count = await lookupsDuring(async () => {
        const statuses = await many(200, secret)
        t.ok(statuses.every((status) => status === 200))
      })
      // A thread that sees the key for the first time after the answer asks once more.
      t.ok(count >= 1 && count <= Number(threads), `${count} queries`)
    })

    await t.test('an unknown key of the right form asks once, then it is remembered', async (t) => {
      const secret = newApiKey()
      const startMs = performance.now()
      const count = await lookupsDuring(async () => {
        for (let call = 0; call < 20; call++) t.equal(await post(secret), 401)
      })
      // Every thread forgets it after a second.
      const most = Number(threads) * Math.ceil((performance.now() - startMs) / 1000)
      t.ok(count >= 1 && count <= most, `${count} queries, at most ${most}`)
    })

    await t.test('a flood of unknown keys evicts no good one', async (t) => {
      const { secret } = await newTenant()
      await many(20, secret)
      for (let wave = 0; wave < 10; wave++) {
        await Promise.all(Array.from({ length: 100 }, () => post(newApiKey())))
      }
      const count = await lookupsDuring(async () => {
        t.equal(await post(secret), 200)
      })
      t.equal(count, 0)
    })
  })
}

t.test('one call after the other', async (t) => {
  const { db, upstream, post, lookupsDuring } = await start(t, '2')

  await t.test('keys of a wrong form or checksum are refused without a question', async (t) => {
    const own = newApiKey()
    const wrongEnd = own.slice(0, -1) + (own.endsWith('a') ? 'b' : 'a')
    const count = await lookupsDuring(async () => {
      for (const secret of [wrongEnd, 'short', 'slc_', `${own}x`, 'has%20space', 'k'.repeat(129)]) {
        t.equal(await post(secret), 401, secret)
      }
    })
    t.equal(count, 0)
  })

  await t.test('a key that was unknown works as soon as it is created', async (t) => {
    const secret = newApiKey()
    t.equal(await post(secret), 401)
    const tenant = await createTenant(db.database, { upstreamUrl: upstream.url, secret })
    await tenant.updateEndpoint({ name: 'renamed' })
    await until(async () => (await post(secret)) === 200)
  })

  await t.test('a key imported from another system works', async (t) => {
    const secret = 'ETHABCDEFGH12345678'
    await createTenant(db.database, { upstreamUrl: upstream.url, secret })
    t.equal(await post(secret), 200)
    t.equal(await post(secret.toLowerCase()), 401, 'and only in its own case')
  })
})

t.test('unknown keys are looked up at a bounded rate, and known ones do not notice', async (t) => {
  const db = await createTestDatabase()
  const upstream = await startUpstream()
  // So few that even a slow machine asks for more.
  const [perSecond, atOnce] = [1, 50]
  const gateway = await startGateway({
    databaseUrl: db.url,
    env: { KEY_UNKNOWN_PER_SECOND_MAX: String(perSecond) }
  })
  t.teardown(async () => {
    await gateway.stop()
    await upstream.stop()
    await db.drop()
  })
  const { secret } = await settledTenant(db, upstream.url)
  const post = async (key: string) =>
    (await fetch(`${gateway.url}/api=${key}`, { method: 'POST', body })).status
  t.equal(await post(secret), 200)
  const startMs = performance.now()
  const counts = new Map<number, number>()
  for (let wave = 0; wave < 10; wave++) {
    const requests = Array.from({ length: atOnce }, () => post(newApiKey()))
    const statuses = await Promise.all(requests)
    for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1)
    t.equal(await post(secret), 200, 'a known key')
  }
  const seconds = (performance.now() - startMs) / 1000
  t.same([...counts.keys()].sort(), [401, 503])
  const inVain = await gateway.metric('sluice_gateway_key_lookups_total', '"unknown"')
  // A second's worth at once, and those that were under way when that was used up.
  const most = perSecond * (1 + seconds) + atOnce
  t.ok(inVain >= perSecond && inVain <= most, `${inVain} of 500 in ${seconds.toFixed(1)} s`)
  await until(async () => (await post(newApiKey())) === 401)
  const fresh = await createTenant(db.database, { upstreamUrl: upstream.url })
  await until(async () => (await post(fresh.secret)) === 200)
})
