// The database client keeps the three promises that mysql2 leaves open: nothing waits for ever, no queue grows without
// bound, and every moment is UTC.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import t from 'tap'
import { isConnectionFailure, isDuplicate, openDatabase } from '../client.ts'
import { createTestDatabase } from './support/test-database.ts'

/** A server that takes connections and never says a word. */
async function startMuteServer(): Promise<{ url: string; sockets: Socket[]; server: Server }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return { url: `mysql://root@127.0.0.1:${address.port}/x`, sockets, server }
}

async function failureOf(work: Promise<unknown>): Promise<Error> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not fail')
}

t.test('a server that never says hello fails a statement within the connect timeout', async (t) => {
  const { url, sockets, server } = await startMuteServer()
  const database = openDatabase(url, { connectTimeoutMs: 100, statementTimeoutMs: 3_600_000 })
  t.teardown(async () => {
    await database.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  // Otherwise it would fail after the hour that a statement has.
  t.ok(isConnectionFailure(await failureOf(database.pool.query('SELECT 1'))))
})

t.test('with a real server', async (t) => {
  const { url, database, drop } = await createTestDatabase()
  t.teardown(drop)

  await t.test(
    'a statement without an answer fails in time, and its connection with it',
    async (t) => {
      const impatient = openDatabase(url, { connectionsMax: 1, statementTimeoutMs: 150 })
      t.teardown(() => impatient.close())
      const [before] = await impatient.pool.query('SELECT CONNECTION_ID() AS id')
      // Without the limit it would have an answer, after 20 s.
      const error = await failureOf(impatient.pool.query('SELECT SLEEP(20)'))
      t.ok(isConnectionFailure(error))
      t.match(error.message, 'no answer for 150 ms')
      const [after] = await impatient.pool.query('SELECT CONNECTION_ID() AS id')
      t.notSame(after, before, 'the next statement has a connection of its own')
    }
  )

  await t.test('a statement in time is not cut, nor is the one after it', async (t) => {
    const impatient = openDatabase(url, { connectionsMax: 1, statementTimeoutMs: 400 })
    t.teardown(() => impatient.close())
    for (let round = 0; round < 4; round++) await impatient.pool.query('SELECT SLEEP(0.15)')
    t.pass('four statements took longer together than one may alone')
  })

  await t.test('a queue that is full refuses at once, as a connection failure', async (t) => {
    const narrow = openDatabase(url, { connectionsMax: 1, queueMax: 1 })
    t.teardown(() => narrow.close())
    const [, , third] = await Promise.allSettled([
      narrow.pool.query('SELECT SLEEP(0.3)'),
      narrow.pool.query('SELECT 1'),
      narrow.pool.query('SELECT 1')
    ])
    t.equal(third?.status, 'rejected')
    if (third?.status === 'rejected') t.ok(isConnectionFailure(third.reason))
  })

  await t.test('moments are UTC in both directions, to the millisecond', async (t) => {
    const moment = new Date('2026-03-29T01:30:00.123Z')
    const [rows] = await database.pool.query(
      'SELECT CAST(? AS DATETIME(3)) AS moment, CAST(CAST(? AS DATETIME(3)) AS CHAR) AS text',
      [moment, moment]
    )
    t.same(rows, [{ moment, text: '2026-03-29 01:30:00.123' }])
  })

  await t.test('one call runs one statement', async (t) => {
    await t.rejects(database.pool.query('SELECT 1; SELECT 2'), { code: 'ER_PARSE_ERROR' })
  })

  await t.test(
    'a duplicate is told apart by its index, and is no connection failure',
    async (t) => {
      const insert = () =>
        database.pool.query(
          "INSERT INTO orgs (id, name, created_at, updated_at) VALUES ('org_1', 'a', NOW(3), NOW(3))"
        )
      await insert()
      const error = await failureOf(insert())
      t.ok(isDuplicate(error))
      t.ok(isDuplicate(new Error('wrapped', { cause: error }), 'PRIMARY'))
      t.notOk(isDuplicate(error, 'users_email'))
      t.notOk(isConnectionFailure(error))
    }
  )
})

t.test('close cuts a connection that does not answer', async (t) => {
  const { url, drop } = await createTestDatabase({ migrated: false })
  t.teardown(drop)
  const database = openDatabase(url, { statementTimeoutMs: 60_000 })
  const stuck = failureOf(database.pool.query('SELECT SLEEP(30)'))
  await database.pool.query('SELECT 1')
  await database.close()
  // Otherwise it would have an answer, after 30 s.
  t.ok(isConnectionFailure(await stuck))
})
