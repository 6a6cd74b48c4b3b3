// JSON-RPC 1.0 and 1.1 on `jsonrpc` chains, and notifications that are refused.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { echo, startUpstream } from './support/upstream.ts'

const db = await createTestDatabase()
const upstream = await startUpstream(echo)
const upstreamUrl = upstream.url
const endpoint = { allowedMethods: ['getblockcount'] }
const older = await createTenant(db.database, { upstreamUrl, endpoint, chain: { kind: 'jsonrpc' } })
const evm = await createTenant(db.database, { upstreamUrl })
const gateway = await startGateway({ databaseUrl: db.url })
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})

const post = (secret: string, body: string) =>
  fetch(`${gateway.url}/api=${secret}`, { method: 'POST', body })
const call = (version: string) =>
  `{"jsonrpc":${version},"id":"curltest","method":"getblockcount","params":[]}`

t.test(
  'a jsonrpc chain takes the older versions as they are, an evm chain 2.0 alone',
  async (t) => {
    for (const version of ['"1.0"', '"1.1"', '"2.0"', '1.0', '1.1', '2.0', '2']) {
      const answer = await post(older.secret, call(version))
      t.equal(answer.status, 200, version)
      t.match(await answer.json(), { id: 'curltest', result: 'getblockcount' })
      t.equal(upstream.received.at(-1)?.body, call(version))
      t.equal((await post(evm.secret, call(version))).status, version === '"2.0"' ? 200 : 400)
    }
    for (const version of ['"3.0"', '"1"', '"1.0', 'null', '[]', '{}', '1.00', '"1.0 "']) {
      t.equal((await post(older.secret, call(version))).status, 400, version)
    }
    const batch = await post(older.secret, `[${call('"1.0"')},${call('"9"')}]`)
    t.match(await batch.json(), [{ result: 'getblockcount' }, { error: { code: -32600 } }])
  }
)

t.test(
  'a notification that is refused gets no reply: 204, or the status of the refusal',
  async (t) => {
    const notification = '{"jsonrpc":"2.0","method":"debug_x"}'
    for (const body of [notification, `[${notification}]`]) {
      const answer = await post(older.secret, body)
      t.equal(answer.status, 204, body)
      t.equal(await answer.text(), '')
      const unknown = await post('nobodys-key', body)
      t.equal(unknown.status, 401)
      t.equal(await unknown.text(), '')
      t.equal(unknown.headers.get('content-type'), null)
    }
    const mixed = await post(older.secret, `[${notification},${call('"2.0"')}]`)
    t.match(await mixed.json(), [{ id: 'curltest' }])
  }
)
