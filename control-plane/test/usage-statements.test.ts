// No statement about usage reads a table from end to end: each one that the routes, the live feed and the sweep send is
// explained by the server, on tables that are filled.
import t from 'tap'
import { seedUsage } from '../../bench/usage/seed.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { createHousekeepingRepo } from '../housekeeping/repo.ts'
import { createSweeper } from '../housekeeping/sweeper.ts'
import { createLogger } from '../telemetry/logger.ts'
import { startControlPlane } from './support/control-plane.ts'
import { watchLive } from './support/live-reader.ts'
import { operator } from './support/people.ts'
import { recordStatements, type Statement } from './support/statements.ts'

const test = await createTestDatabase()
const { pool } = test.database
const orgs = await seedUsage(
  test.database,
  { orgs: 20, endpointsPerOrg: 5, keysPerEndpoint: 4, methods: ['eth_call', 'eth_getLogs'] },
  {
    days: 40,
    hours: 72,
    minutes: 90,
    detailHours: 24,
    detailMinutes: 30,
    isFull: (org) => org === 7
  },
  new Date()
)
// As many gateways as a long life leaves behind, some of them running.
for (let place = 0; place < 200; place++) {
  const at = new Date(Date.now() - (place < 3 ? -3_600_000 : place * 60_000))
  await pool.query(
    `INSERT INTO gateway_nodes (node_id, boot_id, booted_at, seen_at, applied_change_id)
     VALUES (?, ?, ?, ?, 0)`,
    [`node-${place}`, `boot_${place}`, at, at]
  )
  await pool.query(
    `INSERT INTO usage_writers (boot_id, node_id, seq, complete_until, updated_at)
     VALUES (?, ?, 1, ?, ?)`,
    [`boot_${place}`, `node-${place}`, at, at]
  )
  await pool.query(
    `INSERT INTO chains (id, name, kind, method_weights, created_at, updated_at)
     VALUES (?, ?, 'evm', '{}', ?, ?)`,
    [`chn_${place}`, `chain-${place}`, at, at]
  )
}
const tables = [
  'usage_minutes',
  'usage_hours',
  'usage_days',
  'usage_writers',
  'gateway_nodes',
  'quota_usage',
  'call_errors',
  'endpoints',
  'api_keys',
  'chains'
]
for (const table of tables) await pool.query(`ANALYZE TABLE ${table}`)

const plane = await startControlPlane({ databaseUrl: test.url })
t.teardown(async () => {
  await plane.stop()
  await test.drop()
})
const theOperator = await operator(plane)
const org = orgs[7]
const [endpoint] = org?.endpoints ?? []
if (org === undefined || endpoint === undefined) throw new Error('nothing was seeded')
const statements = await recordStatements(plane.database)

const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()
const orgPath = `/v1/orgs/${org.id}`
const endpointPath = `${orgPath}/endpoints/${endpoint.id}`
const times = ['', `from=${ago(3)}&step=1m`, `from=${ago(60)}&step=1h`, `from=${ago(900)}&step=1d`]
const zones = [`from=${ago(60)}&time_zone=Asia/Kolkata`]
const groups = ['', 'group_by=endpoint', 'group_by=key', 'group_by=method', 'group_by=chain']
const filters = [
  '',
  `endpoint=${endpoint.id}`,
  `key=${endpoint.keyIds[0]}`,
  'method=eth_call',
  `chain=${endpoint.chainId}`
]
const questions = [
  ...[...times, ...zones].flatMap((time) =>
    groups.flatMap((group) => filters.map((filter) => [time, group, filter]))
  ),
  ...times.map((time) => [time, 'group_by=outcome'])
].map((parts) => `${orgPath}/usage?${parts.filter((part) => part !== '').join('&')}`)

const asked: Statement[] = []

t.test('all questions are asked', async (t) => {
  const others = [
    ...['', 'group_by=method', 'group_by=key'].map((group) => `${endpointPath}/usage?${group}`),
    `${orgPath}/usage/summary`,
    `${endpointPath}/usage/summary`,
    `${endpointPath}/errors`
  ]
  for (const path of [...questions, ...others]) {
    const { status } = await theOperator.get(path)
    if (status !== 200) t.equal(status, 200, path)
  }
  const reader = await watchLive(theOperator, endpointPath)
  await reader.until(() => reader.named('usage').length >= 1)
  reader.leave()
  const { config, clock, database } = plane
  const repo = createHousekeepingRepo(database)
  await createSweeper({ repo, config, clock, log: createLogger('silent') }).sweep()
  asked.push(...statements.filter(({ sql }) => tables.some((table) => sql.includes(table))))
  for (const table of tables) {
    t.ok(
      asked.some(({ sql }) => sql.includes(table)),
      `${table} was read`
    )
  }
})

interface Plan {
  table: string | null
  type: string | null
  key: string | null
}

t.test('each of them is led by a key', async (t) => {
  const different = new Map(asked.map((one) => [one.sql.replaceAll(/\(\?(, \?)*\)/g, '(?)'), one]))
  t.ok(different.size > 40, `${different.size} different statements`)
  for (const { sql, values } of different.values()) {
    const [plans] = await pool.query(`EXPLAIN ${sql}`, values)
    for (const { table, type, key } of plans as Plan[]) {
      // Without a table there is nothing to read, e.g. when the key leads to no row.
      if (table === null || type === null) continue
      // `index` is a full scan, too: of an index.
      const isFullScan = type === 'ALL' || type === 'index'
      t.ok(!isFullScan && key !== null, `${table}: ${type} by ${key}`, { sql })
    }
  }
})
