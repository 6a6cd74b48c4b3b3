// Health on the admin port: alive is not ready; what is missing is named, with the command that mends it.
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { migrate } from '../../drizzle/migrate.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { createAdminServer } from '../telemetry/admin.ts'
import { createLogger } from '../telemetry/logger.ts'
import { createReadinessWatch } from '../telemetry/readiness.ts'
import { startControlPlane } from './support/control-plane.ts'

const test = await createTestDatabase({ migrated: false })
const plane = await startControlPlane({ databaseUrl: test.url })
const lines: string[] = []
const log = createLogger('info', { write: (line) => lines.push(line) })
const readiness = createReadinessWatch({ database: test.database, log })
const admin = createAdminServer({ metrics: plane.metrics, readiness })
await admin.listen({ host: '127.0.0.1', port: 0 })
t.teardown(async () => {
  readiness.stop()
  await admin.close()
  await plane.stop()
  await test.drop()
})

async function get(path: string) {
  const { port } = admin.server.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status: response.status, text: await response.text() }
}

t.test(
  'an unmigrated database: alive, not ready, and told what to run; nothing is migrated',
  async (t) => {
    t.equal((await get('/healthz')).status, 200)
    const { status, text } = await get('/readyz')
    t.equal(status, 503)
    t.match(JSON.parse(text), {
      status: 'not_ready',
      checks: { database: 'ok', migrations: /run npm run migrate/ }
    })
    t.match(lines.join(''), /run npm run migrate/)
    const [tables] = await test.database.pool.query('SHOW TABLES')
    t.same(tables, [])
  }
)

t.test('once it is migrated, ready without a restart', async (t) => {
  await migrate(test.database)
  const { status, text } = await get('/readyz')
  t.equal(status, 200)
  t.same(JSON.parse(text), { status: 'ready', checks: { database: 'ok', migrations: 'ok' } })
})

t.test('while draining: alive, not ready', async (t) => {
  readiness.drain()
  t.equal((await get('/healthz')).status, 200)
  const { status, text } = await get('/readyz')
  t.equal(status, 503)
  t.equal(JSON.parse(text).status, 'draining')
})

t.test('metrics count requests by the pattern of their route, never by their path', async (t) => {
  await plane.client().get('/v1/orgs/org_secret')
  await plane.client().get('/v1/nowhere/else')
  const { text } = await get('/metrics')
  const series = (route: string, status: number) =>
    `sluice_control_plane_http_requests_total{method="GET",route="${route}",status="${status}"} 1`
  t.match(text, series('/v1/orgs/:org', 401))
  t.match(text, series('_unknown', 404))
  t.notMatch(text, /org_secret|nowhere/)
  t.match(text, /^process_cpu_seconds_total /m)
  t.match(text, /^nodejs_eventloop_lag_seconds /m)
})
