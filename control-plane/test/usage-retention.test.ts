// Usage is kept for as long as the operator said and no longer, whoever sweeps, and what may be asked for is all there.
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { newId } from '../../drizzle/ids.ts'
import { createHousekeepingRepo } from '../housekeeping/repo.ts'
import { createSweeper } from '../housekeeping/sweeper.ts'
import { createLogger } from '../telemetry/logger.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'
import { type Called, recordCalls } from './support/usage.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)
const { database } = plane
const { pool } = database

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const now = plane.clock().getTime()

function sweeperOf(config = plane.config, repo = createHousekeepingRepo(database)) {
  return createSweeper({ repo, clock: () => new Date(now), log: createLogger('silent'), config })
}

const callAt = (at: number, rest: Partial<Called> = {}): Called => ({
  orgId: ann.orgId,
  endpointId: endpoint.id,
  chainId: 'chn_one',
  keyId: endpoint.keys[0].id,
  at: new Date(at),
  ok: 1,
  ...rest
})

async function oldest(table: string, column: string): Promise<number> {
  const [rows] = await pool.query(`SELECT MIN(${column}) AS oldest FROM ${table}`)
  return new Date((rows as { oldest: string }[])[0]?.oldest ?? 0).getTime()
}

async function countOf(table: string): Promise<number> {
  const [rows] = await pool.query(`SELECT COUNT(*) AS total FROM ${table}`)
  return (rows as { total: number }[])[0]?.total ?? 0
}

async function failAt(at: number): Promise<void> {
  await pool.query(
    `INSERT INTO call_errors (id, org_id, endpoint_id, key_id, occurred_at, method, reason, status, duration_ms, request_id)
     VALUES (?, ?, ?, 'key_x', ?, 'eth_call', 'upstream', 200, 5, 'request-1')`,
    [newId('err', at), ann.orgId, endpoint.id, new Date(at)]
  )
}

const kept = [
  { table: 'usage_minutes', unit: minuteMs, keptMs: 48 * hourMs },
  { table: 'usage_hours', unit: hourMs, keptMs: 90 * dayMs },
  { table: 'usage_days', unit: dayMs, keptMs: 730 * dayMs }
]

t.test('old rows go, young ones stay, to the row', async (t) => {
  const ages = kept.flatMap(({ unit, keptMs }) => [keptMs, keptMs + unit, keptMs + 50 * unit])
  await recordCalls(
    database,
    [0, ...ages].map((age) => callAt(now - age))
  )
  for (const age of [0, 72 * hourMs - 1000, 72 * hourMs + 1000]) await failAt(now - age)
  const dayOf = (age: number) => new Date(now - age).toISOString().slice(0, 10)
  for (const age of [0, 7 * dayMs, 8 * dayMs]) {
    await pool.query('INSERT INTO quota_usage VALUES (?, ?, ?, 5)', [
      endpoint.id,
      dayOf(age),
      'boot_x'
    ])
  }
  for (const age of [729, 732]) {
    await pool.query(
      'INSERT INTO usage_writers (boot_id, node_id, seq, complete_until, updated_at) VALUES (?, ?, 1, ?, ?)',
      [
        newId('boot', now - age * dayMs),
        'gone',
        new Date(now - age * dayMs),
        new Date(now - age * dayMs)
      ]
    )
  }
  await sweeperOf().sweep()
  for (const { table, unit, keptMs } of kept) {
    const first = Math.floor((now - keptMs) / unit) * unit
    t.equal(await oldest(table, 'starts_at'), first, table)
  }
  t.equal(await countOf('call_errors'), 2)
  t.equal(await countOf('quota_usage'), 2)
  t.equal(await countOf('usage_writers'), 1)
  t.same(await sweeperOf().sweep(), { rows: 0, isLate: false }, 'nothing else is due')
})

t.test('what may be asked for is all there after a sweep', async (t) => {
  const ask = async (query: string) => {
    const { body } = await ann.get(`${endpoint.path}/usage?${query}`)
    return body.data.reduce((sum: number, point: { calls: number }) => sum + point.calls, 0)
  }
  // The clock of the questions runs on; an hour's room keeps a slow machine from asking for what is gone.
  const from = (age: number) => new Date(now - age).toISOString()
  await recordCalls(database, [callAt(now - 48 * hourMs + hourMs), callAt(now - 89 * dayMs)])
  await sweeperOf().sweep()
  const to = from(47 * hourMs - minuteMs)
  t.equal(await ask(`step=1m&from=${from(47 * hourMs)}&to=${to}`), 1)
  t.equal(await ask(`step=1h&from=${from(89 * dayMs)}&to=${from(89 * dayMs - hourMs)}`), 1)
})

t.test('an operator who keeps more has more, and may be asked for it', async (t) => {
  await recordCalls(database, [callAt(now - 60 * hourMs), callAt(now - 100 * dayMs)])
  const more = {
    ...plane.config,
    retentionMs: { ...plane.config.retentionMs, usageMinutes: 72 * hourMs, usageHours: 120 * dayMs }
  }
  const tooOld = 3
  t.same(await sweeperOf(more).sweep(), { rows: tooOld, isLate: false }, 'the minute 100 days ago')
  const other = await startControlPlane({
    databaseUrl: plane.config.databaseUrl,
    config: { retentionMs: more.retentionMs }
  })
  const again = other.client(ann.email)
  await again.login()
  const from = new Date(now - 61 * hourMs).toISOString()
  const to = new Date(now - 59 * hourMs).toISOString()
  const path = `${endpoint.path}/usage?step=1m&from=${from}&to=${to}`
  t.equal((await again.get(path)).status, 200)
  const refused = await ann.get(path)
  t.match(refused.body.errors, [{ detail: /kept for 48 hours/ }])
  await other.stop()
})

t.test(
  'two control planes that sweep at once do no harm, and one of them does the work',
  async (t) => {
    await sweeperOf().sweep()
    const rows = Array.from({ length: 3000 }, (_, place) =>
      callAt(now - 50 * hourMs, { method: `method_${place}` })
    )
    await recordCalls(database, rows)
    const before = await countOf('usage_minutes')
    const writing = recordCalls(database, [callAt(now, { ok: 5 })])
    const sweeps = [sweeperOf().sweep(), sweeperOf().sweep(), sweeperOf().sweep()]
    const swept = await Promise.all(sweeps)
    await writing
    // Each method's detail and sum of the org, and the sum of the endpoint.
    const due = 2 * rows.length + 1
    t.equal(
      swept.reduce((sum, one) => sum + (one?.rows ?? 0), 0),
      due
    )
    t.equal(before - (await countOf('usage_minutes')), due)
  }
)

t.test('the lock is free again after a sweep that failed', async (t) => {
  const repo = createHousekeepingRepo(database)
  await t.rejects(
    repo.underLock(async () => {
      throw new Error('the sweep fails')
    })
  )
  // The server learns a moment later that the connection of the failed one is gone.
  while ((await repo.underLock(async () => 'free')) === null) await setImmediate()
  t.equal(await repo.underLock(async () => 'free'), 'free', 'at once after one that did not fail')
  const two = repo.underLock(async () => await repo.underLock(async () => 'two at once'))
  t.equal(await two, null, 'one at a time')
})
