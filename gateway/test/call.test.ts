import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const call = { jsonrpc: '2.0', id: 7, method: 'eth_blockNumber', params: [] }

t.test('a call', async (t) => {
  const db = await createTestDatabase()
  const upstream = await startUpstream()
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  const gateway = await startGateway({ databaseUrl: db.url })
  t.teardown(async () => {
    t.equal(await gateway.stop(), 0, 'the gateway ends with code 0')
    await upstream.stop()
    await db.drop()
  })
  const post = (path: string, body: unknown, headers = {}) =>
    fetch(gateway.url + path, { method: 'POST', body: JSON.stringify(body), headers })

  await t.test('goes to the upstream and its answer comes back', async (t) => {
    const response = await post(`/api=${tenant.secret}`, call)
    t.equal(response.status, 200)
    t.same(await response.json(), { jsonrpc: '2.0', id: 7, result: 'eth_blockNumber' })
    t.match(response.headers.get('x-request-id'), /^[A-Za-z0-9_-]{8,64}$/)
    t.equal(upstream.received.length, 1)
    t.equal(upstream.received[0]?.url, '/')
    t.equal(upstream.received[0]?.body, JSON.stringify(call))
  })
})
