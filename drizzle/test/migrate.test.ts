// The migrator applies each file once, in order, however many call it, and touches nothing that it does not understand.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openDatabase } from '../client.ts'
import { loadPendingMigrations, MigrationError, migrate, repair } from '../migrate.ts'
import { lockNameOf } from '../server-lock.ts'
import { createTestDatabase, type TestDatabase } from './support/test-database.ts'

const files = {
  '0000.01_create_a.sql': 'CREATE TABLE a (n int)',
  '0000.02_insert.sql': 'INSERT INTO a VALUES (1)',
  '0001.01_create_b.sql': 'CREATE TABLE b (n int)'
}
const names = Object.keys(files)

type Test = Pick<typeof t, 'teardown'>

async function empty(t: Test): Promise<TestDatabase> {
  const made = await createTestDatabase({ migrated: false })
  t.teardown(() => made.drop())
  return made
}

async function rowsOf({ database }: TestDatabase, table: string): Promise<number> {
  const [rows] = await database.pool.query('SELECT COUNT(*) AS n FROM ??', [table])
  return (rows as { n: number }[])[0]?.n ?? -1
}

t.test('every file is applied once, in the order of the names', async (t) => {
  const made = await empty(t)
  const folder = t.testdir(files)
  t.same(await loadPendingMigrations(made.database, folder), names)
  t.same(await migrate(made.database, folder), names)
  t.same(await loadPendingMigrations(made.database, folder), [])
  t.same(await migrate(made.database, folder), [])
  t.equal(await rowsOf(made, 'a'), 1)
})

t.test('a new file is applied to a database that has the older ones', async (t) => {
  const made = await empty(t)
  const folder = t.testdir(files)
  await migrate(made.database, folder)
  writeFileSync(join(folder, '0002.01_create_c.sql'), 'CREATE TABLE c (n int)')
  t.same(await migrate(made.database, folder), ['0002.01_create_c.sql'])
})

t.test('any number at once apply each file once', async (t) => {
  const made = await empty(t)
  const folder = t.testdir(files)
  const others = Array.from({ length: 3 }, () =>
    openDatabase(made.url, { statementTimeoutMs: 60_000 })
  )
  t.teardown(() => Promise.all(others.map((other) => other.close())))
  const applied = await Promise.all([made.database, ...others].map((one) => migrate(one, folder)))
  t.same(applied.flat().sort(), names)
  t.equal(await rowsOf(made, 'a'), 1)
})

t.test('a statement that the server refuses is tried again next time', async (t) => {
  const made = await empty(t)
  const folder = t.testdir({ ...files, '0000.02_insert.sql': 'INSERT INTO nowhere VALUES (1)' })
  await t.rejects(
    migrate(made.database, folder),
    /migration 0000\.02_insert\.sql failed: .*nowhere/
  )
  t.same(await loadPendingMigrations(made.database, folder), names.slice(1))
  writeFileSync(join(folder, '0000.02_insert.sql'), files['0000.02_insert.sql'])
  t.same(await migrate(made.database, folder), names.slice(1))
})

t.test(
  'a file that was changed after it was applied is named, and nothing else is applied',
  async (t) => {
    const made = await empty(t)
    const folder = t.testdir(files)
    await migrate(made.database, folder)
    writeFileSync(join(folder, names[0] ?? ''), 'CREATE TABLE a (n bigint)')
    writeFileSync(join(folder, '0002.01_create_c.sql'), 'CREATE TABLE c (n int)')
    await t.rejects(migrate(made.database, folder), MigrationError)
    await t.rejects(
      migrate(made.database, folder),
      /0000\.01_create_a\.sql was changed after it was applied/
    )
    await t.rejects(rowsOf(made, 'c'), { code: 'ER_NO_SUCH_TABLE' })
  }
)

t.test('a database of a newer version is left alone', async (t) => {
  const made = await empty(t)
  await migrate(made.database, t.testdir(files))
  const older = t.testdir({ '0000.01_create_a.sql': files['0000.01_create_a.sql'] })
  await t.rejects(migrate(made.database, older), /does not know: it was written by a newer one/)
})

/** A migration whose connection was lost: its outcome is unknown. */
async function loseConnection(made: TestDatabase, folder: string): Promise<void> {
  const impatient = openDatabase(made.url, { connectionsMax: 2, statementTimeoutMs: 300 })
  try {
    await migrate(impatient, folder)
  } finally {
    await impatient.close()
  }
}

t.test(
  'a connection lost in the middle of a statement stops everything until a person has looked',
  async (t) => {
    const made = await empty(t)
    const slow = '0000.02_insert.sql'
    const folder = t.testdir({ ...files, [slow]: 'INSERT INTO a SELECT SLEEP(3)' })
    await t.rejects(loseConnection(made, folder), /migration 0000\.02_insert\.sql failed/)

    for (const attempt of [migrate, loadPendingMigrations]) {
      await t.rejects(attempt(made.database, folder), MigrationError)
      await t.rejects(
        attempt(made.database, folder),
        /npm run migrate -- --retry 0000\.02_insert\.sql/
      )
    }
    await t.rejects(repair(made.database, names[0] ?? '', 'retry'), /is not half-applied/)

    await repair(made.database, slow, 'applied')
    t.same(await migrate(made.database, folder), ['0001.01_create_b.sql'])
  }
)

t.test('after `retry` the statement is run again', async (t) => {
  const made = await empty(t)
  const slow = '0000.02_insert.sql'
  const folder = t.testdir({ ...files, [slow]: 'INSERT INTO a SELECT SLEEP(0.6)' })
  await t.rejects(loseConnection(made, folder), /migration 0000\.02_insert\.sql failed/)
  await repair(made.database, slow, 'retry')
  t.same(await migrate(made.database, folder), [slow, '0001.01_create_b.sql'])
})

t.test('one that waits too long for another says so', async (t) => {
  const made = await empty(t)
  const folder = t.testdir(files)
  const holder = await made.database.pool.getConnection()
  t.teardown(() => holder.destroy())
  await holder.query(`SELECT GET_LOCK(${lockNameOf('migrate')}, 0)`)
  const waiting = migrate(made.database, folder, 1)
  await t.rejects(waiting, /another process has been migrating this database for 1 s/)
})
