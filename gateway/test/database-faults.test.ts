// A database that freezes or is gone: who is known goes on, who is not known is told to come back, nobody is told that
// their key is wrong, the database is not stormed, and when it is back all is as before, without a hand.
import t, { type Test } from 'tap'
import { newApiKey } from '../../drizzle/api-key.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { type DatabaseProxy, startDatabaseProxy } from './support/database-proxy.ts'
import { type GatewayProcess, startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const db = await createTestDatabase()
const upstream = await startUpstream()
const tenant = await createTenant(db.database, {
  upstreamUrl: upstream.url,
  endpoint: { dailyQuota: 1_000_000 }
})
t.teardown(async () => {
  await upstream.stop()
  await db.drop()
})

interface Setup {
  proxy: DatabaseProxy
  gateway: GatewayProcess
}

async function start(t: Test, env: Record<string, string> = {}, ready = true): Promise<Setup> {
  const proxy = await startDatabaseProxy(db.url)
  if (!ready) await proxy.cut()
  const gateway = await startGateway({
    databaseUrl: proxy.url,
    env: { KEY_CACHE_TTL: '1', CHANGE_POLL_MS: '100', ...env },
    ready
  })
  t.teardown(async () => {
    gateway.child.kill('SIGKILL')
    await proxy.stop()
  })
  return { proxy, gateway }
}

async function call({ url }: GatewayProcess, secret = tenant.secret) {
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
  const response = await fetch(`${url}/api=${secret}`, { method: 'POST', body })
  const { error } = (await response.json()) as { error?: { data: { reason: string } } }
  return { status: response.status, reason: error?.data.reason }
}

const unavailable = { status: 503, reason: 'key_store_unavailable' }
const down = {
  frozen: {
    begin: async (proxy: DatabaseProxy) => proxy.freeze(),
    end: async (proxy: DatabaseProxy) => proxy.thaw()
  },
  gone: {
    begin: (proxy: DatabaseProxy) => proxy.cut(),
    end: (proxy: DatabaseProxy) => proxy.restore()
  }
}

for (const [name, { begin, end }] of Object.entries(down)) {
  t.test(
    `while the database is ${name}, known keys are served and others told to wait`,
    async (t) => {
      const { proxy, gateway } = await start(t)
      t.equal((await call(gateway)).status, 200)
      await begin(proxy)

      await doesNotStorm(t, { proxy, gateway })
      const malformed = await call(gateway, 'slc_junk')
      t.match(malformed, { status: 401, reason: 'key_invalid' }, 'a malformed one is')
      // By now the cached record is past its KEY_CACHE_TTL of 1 s.
      await until(async () => (await gateway.readyz()).body.status === 'degraded')
      t.equal((await gateway.readyz()).status, 200)
      const known = await Promise.all(Array.from({ length: 50 }, () => call(gateway)))
      // No look-up can succeed now: a call that waited for one would be told that the key store is unavailable.
      t.ok(known.every(({ status }) => status === 200))

      await doesNotStorm(t, { proxy, gateway })

      await end(proxy)
      const another = await tenant.addKey()
      await until(async () => (await call(gateway, another.secret)).status === 200)
      t.match(await call(gateway, newApiKey()), { status: 401, reason: 'key_invalid' })
      await until(async () => (await gateway.readyz()).body.status === 'ready')
      t.equal(await gateway.stop(), 0)
    }
  )

  t.test(`a change made while the database was ${name} takes effect when it is back`, async (t) => {
    const { proxy, gateway } = await start(t)
    const revoked = await createTenant(db.database, { upstreamUrl: upstream.url })
    t.equal((await call(gateway, revoked.secret)).status, 200)
    await begin(proxy)
    await revoked.updateKey({ revokedAt: new Date() })
    t.equal((await call(gateway, revoked.secret)).status, 200, 'nobody can know of it yet')
    await end(proxy)
    await until(async () => (await call(gateway, revoked.secret)).reason === 'key_revoked')
  })

  t.test(`with the database ${name}, SIGTERM still ends with 0`, async (t) => {
    const { proxy, gateway } = await start(t)
    t.equal((await call(gateway)).status, 200)
    await begin(proxy)
    t.equal((await call(gateway)).status, 200, 'there is consumption that cannot be written')
    t.equal(await gateway.stop(), 0)
  })
}

const triesOf = (gateway: GatewayProcess) =>
  gateway.metric('sluice_gateway_key_lookups_total', 'failed')

/** 300 keys that nobody knows, all at once, and then again and again while the first are being tried. */
async function doesNotStorm(t: Test, { proxy, gateway }: Setup): Promise<void> {
  const connections = proxy.connections
  const tries = await triesOf(gateway)
  const [rounds, keys] = [5, 300]
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all(
      Array.from({ length: keys }, () => call(gateway, newApiKey()))
    )
    t.ok(
      answers.every(({ status, reason }) => status === 503 && reason === unavailable.reason),
      'a key that is not known is not a wrong key'
    )
  }
  // The database is tried once a second, so how often depends on how busy the machine is; a storm would be one for each.
  const triesMax = (rounds * keys) / 10
  const connected = proxy.connections - connections
  t.ok(connected < triesMax, `${connected} connections`)
  const tried = (await triesOf(gateway)) - tries
  t.ok(tried < triesMax, `${tried} of ${rounds * keys} keys were tried`)
}

t.test('a key goes on for KEY_CACHE_STALE and then is told to wait', async (t) => {
  const { proxy, gateway } = await start(t, { KEY_CACHE_STALE: '1' })
  t.equal((await call(gateway)).status, 200)
  await proxy.cut()
  await until(async () => (await call(gateway)).reason === 'key_store_unavailable')
  await proxy.restore()
  await until(async () => (await call(gateway)).status === 200)
})

t.test('a gateway that knows no key yet is not ready without its database', async (t) => {
  const { proxy, gateway } = await start(t)
  await proxy.cut()
  await until(async () => (await gateway.readyz()).status === 503)
  t.equal((await gateway.readyz()).body.checks.keys, 'none cached')
  await proxy.restore()
  await until(async () => (await gateway.readyz()).status === 200)
})

t.test('a gateway that starts before its database serves when it comes', async (t) => {
  const { proxy, gateway } = await start(t, {}, false)
  await until(() => gateway.output().includes('"listening"'))
  t.equal((await gateway.readyz()).status, 503)
  t.match(await call(gateway), unavailable)
  t.match(await call(gateway, 'slc_junk'), { status: 401 })
  await proxy.restore()
  await until(async () => (await gateway.readyz()).status === 200)
  await until(async () => (await call(gateway)).status === 200)
})

t.test('a gateway that never saw its database ends with 0 too', async (t) => {
  const { gateway } = await start(t, {}, false)
  await until(() => gateway.output().includes('"listening"'))
  t.equal(await gateway.stop(), 0)
})
