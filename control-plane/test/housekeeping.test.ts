// The sweep removes what has had its time, and nothing that is still good for something.
import t from 'tap'
import { createHousekeepingRepo } from '../housekeeping/repo.ts'
import { createSweeper } from '../housekeeping/sweeper.ts'
import { createLogger } from '../telemetry/logger.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const log = createLogger('silent')
const repo = createHousekeepingRepo(plane.database)
const sweeper = createSweeper({ repo, clock: plane.clock, log, config: plane.config })

const swept = [
  'refresh_tokens',
  'sessions',
  'email_tokens',
  'attempt_counts',
  'idempotency_keys',
  'change_log',
  'change_applications'
]
async function rowsOf(table: string): Promise<number> {
  const [rows] = await plane.database.pool.query(`SELECT COUNT(*) AS total FROM ${table}`)
  return (rows as { total: number }[])[0]?.total ?? 0
}

t.test('what is in use stays; what has had its time goes', async (t) => {
  const ann = await member(plane, 'ann')
  const endpoint = await endpointOf(plane, ann)
  await ann.post('/v1/orgs', { name: 'x' }, { 'idempotency-key': 'key-1' })
  await plane.database.pool.query("INSERT INTO change_applications VALUES (?, 'n', 'b', NOW(3))", [
    endpoint.change_id
  ])
  await plane.client().post('/v1/auth/login', { email: ann.email, password: 'a guess' })
  for (const table of swept) t.ok((await rowsOf(table)) > 0, table)
  t.same(await sweeper.sweep(), { rows: 0, isLate: false })
  t.equal((await ann.get('/v1/me')).status, 200)

  plane.advance(24 * 3_600_000 + 1)
  t.match(await sweeper.sweep(), { rows: 2 }, 'the kept answer, and the failures from one place')
  t.equal(await rowsOf('idempotency_keys'), 0)

  plane.advance(121 * 86_400_000)
  t.ok(((await sweeper.sweep())?.rows ?? 0) > 0)
  for (const table of swept) t.equal(await rowsOf(table), 0, table)
  t.equal(await rowsOf('users'), 2)
  t.equal(await rowsOf('api_keys'), 1)
  t.ok((await rowsOf('audit_log')) > 0)
})

t.test(
  'the audit log is kept for its retention, and a gateway for 30 days after it was seen',
  async (t) => {
    const { pool } = plane.database
    const { auditLog } = plane.config.retentionMs
    const entries = await rowsOf('audit_log')
    t.ok(entries > 0)
    const node = (name: string, ageMs: number) =>
      pool.query('INSERT INTO gateway_nodes VALUES (?, ?, ?, ?, 1)', [
        name,
        `boot_${name}`,
        plane.clock(),
        new Date(plane.clock().getTime() - ageMs)
      ])
    await node('gone', 31 * 86_400_000)
    await node('there', 29 * 86_400_000)
    await sweeper.sweep()
    const [nodes] = await pool.query('SELECT node_id FROM gateway_nodes')
    t.same(nodes, [{ node_id: 'there' }])
    t.equal(await rowsOf('audit_log'), entries, 'not before its time')
    plane.advance(auditLog)
    await sweeper.sweep()
    t.equal(await rowsOf('audit_log'), 0)
  }
)

t.test('more than one statement removes at once goes too', async (t) => {
  const values = Array.from(
    { length: 2500 },
    (_, n) => `('usr_x', 'k${n}', UNHEX(SHA2('x', 256)), NOW(3))`
  )
  await plane.database.pool.query(
    `INSERT INTO idempotency_keys (user_id, \`key\`, request_hash, created_at) VALUES ${values.join()}`
  )
  t.match(await sweeper.sweep(), { rows: 2500 })
})
