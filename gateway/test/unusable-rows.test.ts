// A row that the gateway cannot use (written by hand, or by a version that allowed more) stops what it is about, and
// nothing else: it once ended the process.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant, type TenantOptions } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const db = await createTestDatabase()
const upstream = await startUpstream()
const at = { upstreamUrl: upstream.url }
const good = await createTenant(db.database, at)
const gateway = await startGateway({ databaseUrl: db.url })
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})

async function statusOf(secret: string): Promise<number> {
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
  const response = await fetch(`${gateway.url}/api=${secret}`, { method: 'POST', body })
  await response.arrayBuffer()
  return response.status
}

const unusable: Record<string, [TenantOptions, number]> = {
  'an address list with a word in it': [{ endpoint: { allowedIps: ['everybody'] } }, 503],
  'a CIDR block without a length': [{ endpoint: { allowedIps: ['10.0.0.0/'] } }, 503],
  'a rate of nothing': [{ endpoint: { requestsPerSecond: 0, burst: 1 } }, 503],
  'a list that is none': [{ endpoint: { allowedMethods: 7 as never } }, 503],
  'a weight that is no integer': [{ chain: { methodWeights: { eth_call: 1.5 } } }, 502],
  'weights that are none': [{ chain: { methodWeights: ['x'] as never } }, 502],
  'an upstream of another protocol': [{ upstreamUrl: 'ftp://node/' }, 502],
  'an upstream that is no URL': [{ upstreamUrl: 'node' }, 502]
}

for (const [name, [options, status]] of Object.entries(unusable)) {
  t.test(`${name} stops only what it is about`, async (t) => {
    const tenant = await createTenant(db.database, { ...at, ...options })
    t.equal(await statusOf(tenant.secret), status)
    t.equal(await statusOf(good.secret), 200)
    const another = await createTenant(db.database, at)
    t.equal(await statusOf(another.secret), 200, 'also a key that is looked up right after')
    t.equal(gateway.child.exitCode, null)
  })
}

t.test('a row that is made usable again is used', async (t) => {
  const tenant = await createTenant(db.database, { ...at, endpoint: { allowedIps: ['nobody'] } })
  t.equal(await statusOf(tenant.secret), 503)
  await tenant.updateEndpoint({ allowedIps: ['127.0.0.1'] })
  await until(async () => (await statusOf(tenant.secret)) === 200)
})
