// What a connection gets before its first statement, and when it is given up.
import { sql } from 'drizzle-orm'
import t from 'tap'
import { isConnectionFailure, isUnavailable, openDatabase } from '../client.ts'
import { sqlMode } from '../connection-guard.ts'
import { createTestDatabase } from './support/test-database.ts'

const { url, database, drop } = await createTestDatabase()
t.teardown(drop)

t.test('every connection has our modes and UTC, not what the server was given', async (t) => {
  const [rows] = await database.pool.query(
    'SELECT @@SESSION.sql_mode AS mode, @@SESSION.time_zone AS zone'
  )
  const [{ mode, zone } = { mode: '', zone: '' }] = rows as { mode: string; zone: string }[]
  t.same(new Set(mode.split(',')), new Set(sqlMode.split(',')))
  t.equal(zone, '+00:00')
})

t.test('a connection that meets read-only ends, alone or in a transaction', async (t) => {
  const one = openDatabase(url, { connectionsMax: 1 })
  t.teardown(() => one.close())
  const idOf = async () => {
    const [rows] = await one.pool.query('SELECT CONNECTION_ID() AS id')
    return (rows as { id: number }[])[0]?.id
  }
  // What a write gets of a server that became a replica: the same error, by the same way.
  const turnReadOnly = () => one.pool.query('SET SESSION TRANSACTION READ ONLY')
  const write = sql`CREATE TABLE never_made (n int)`
  for (const attempt of [
    () => one.pool.query('CREATE TABLE never_made (n int)'),
    () => one.orm.execute(write),
    () => one.orm.transaction((tx) => tx.execute(write))
  ]) {
    const before = await idOf()
    await turnReadOnly()
    const error = await attempt().then(
      () => null,
      (reason: unknown) => reason
    )
    t.ok(isUnavailable(error))
    t.notOk(isConnectionFailure(error), 'the statement has certainly not been carried out')
    t.not(await idOf(), before)
  }
})

t.test('whoever waits for a connection waits no longer than for an answer', async (t) => {
  const narrow = openDatabase(url, { connectionsMax: 1, statementTimeoutMs: 300 })
  t.teardown(() => narrow.close())
  const held = await narrow.pool.getConnection()
  const waiting = Array.from({ length: 20 }, () => narrow.pool.query('SELECT 1'))
  // While the only connection is held, so that not one of them can have had its turn.
  for (const result of await Promise.allSettled(waiting)) {
    t.match(result, { status: 'rejected', reason: { code: 'POOL_ACQUIRE_TIMEOUT' } })
    if (result.status === 'rejected') t.ok(isConnectionFailure(result.reason))
  }
  held.release()
  const [rows] = await narrow.pool.query('SELECT 1 AS one')
  t.same(rows, [{ one: 1 }], 'the connection is not lost to those who left')
})
