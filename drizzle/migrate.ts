// The migrator. One statement per file, applied in the order of the names, each recorded before and after, all under a
// lock, so that any number of processes may call it at once. MySQL cannot roll DDL back: what an error answer refused
// took no effect and is simply tried again, but a connection lost in the middle of a statement leaves its outcome
// unknown, and then the migrator names the file and stops until a person has looked.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, isConnectionFailure } from './client.ts'
import { lockNameOf } from './server-lock.ts'

const folder = join(import.meta.dirname, 'migrations')
const lockTimeoutSeconds = 60

const createTable = `CREATE TABLE IF NOT EXISTS schema_migrations (
  name varchar(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  checksum char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  started_at datetime(3) NOT NULL,
  finished_at datetime(3)
)`

/** A state of the database that the migrator will not touch; the message says what to run. */
export class MigrationError extends Error {
  override name = 'MigrationError'
}

interface Migration {
  name: string
  sql: string
  checksum: string
}
interface Applied {
  name: string
  checksum: string
  started_at: Date
  finished_at: Date | null
}
type Connection = Awaited<ReturnType<Database['pool']['getConnection']>>

/**
 * Applies what is missing and returns the names of the files that were applied. Waits so long for another that is at it.
 * Throws MigrationError or the driver's error.
 */
export async function migrate(
  database: Database,
  from = folder,
  timeoutSeconds = lockTimeoutSeconds
): Promise<string[]> {
  return await underLock(database, timeoutSeconds, async (connection) => {
    const migrations = await readMigrations(from)
    const pending = pendingOf(migrations, await loadApplied(connection))
    for (const migration of pending) await apply(connection, migration)
    return pending.map((migration) => migration.name)
  })
}

/** The names of the files that `migrate` would apply. A database that was never migrated has them all. */
export async function loadPendingMigrations(database: Database, from = folder): Promise<string[]> {
  const migrations = await readMigrations(from)
  const [tables] = await database.pool.query("SHOW TABLES LIKE 'schema_migrations'")
  if ((tables as unknown[]).length === 0) return migrations.map((migration) => migration.name)
  const connection = await database.pool.getConnection()
  try {
    return pendingOf(migrations, await loadApplied(connection)).map((migration) => migration.name)
  } finally {
    connection.release()
  }
}

/**
 * Settles a half-applied migration after a person has looked: `applied` when its statement took effect, `retry` when
 * it did not. Throws MigrationError when that file is not half-applied.
 */
export async function repair(database: Database, name: string, as: 'applied' | 'retry') {
  await underLock(database, lockTimeoutSeconds, async (connection) => {
    const [result] = await connection.query(
      as === 'applied'
        ? 'UPDATE schema_migrations SET finished_at = UTC_TIMESTAMP(3) WHERE name = ? AND finished_at IS NULL'
        : 'DELETE FROM schema_migrations WHERE name = ? AND finished_at IS NULL',
      [name]
    )
    if ((result as { affectedRows: number }).affectedRows === 0) {
      throw new MigrationError(`${name} is not half-applied: there is nothing to repair`)
    }
  })
}

async function readMigrations(from: string): Promise<Migration[]> {
  const names = (await readdir(from)).filter((name) => name.endsWith('.sql')).sort()
  return await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(from, name), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    })
  )
}

async function loadApplied(connection: Connection): Promise<Applied[]> {
  const [rows] = await connection.query('SELECT * FROM schema_migrations ORDER BY name')
  return rows as Applied[]
}

function pendingOf(migrations: Migration[], applied: Applied[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]))
  for (const row of applied) {
    const migration = known.get(row.name)
    if (row.finished_at === null) {
      throw new MigrationError(
        `migration ${row.name} was started at ${row.started_at.toISOString()} and its outcome is unknown. ` +
          `Look whether its statement took effect, then run \`npm run migrate -- --mark-applied ${row.name}\` ` +
          `if it did, or \`npm run migrate -- --retry ${row.name}\` if it did not.`
      )
    }
    if (migration === undefined) {
      throw new MigrationError(
        `the database has migration ${row.name}, which this version of Sluice does not know: it was written by a newer one`
      )
    }
    if (migration.checksum !== row.checksum) {
      throw new MigrationError(
        `migration ${row.name} was changed after it was applied: restore the file as it was and write a new one`
      )
    }
  }
  const done = new Set(applied.map((row) => row.name))
  return migrations.filter((migration) => !done.has(migration.name))
}

async function apply(connection: Connection, migration: Migration): Promise<void> {
  await connection.query(
    'INSERT INTO schema_migrations (name, checksum, started_at) VALUES (?, ?, UTC_TIMESTAMP(3))',
    [migration.name, migration.checksum]
  )
  try {
    await connection.query(migration.sql)
  } catch (error) {
    if (!isConnectionFailure(error)) {
      await connection.query('DELETE FROM schema_migrations WHERE name = ?', [migration.name])
    }
    throw new Error(`migration ${migration.name} failed: ${(error as Error).message}`, {
      cause: error
    })
  }
  await connection.query(
    'UPDATE schema_migrations SET finished_at = UTC_TIMESTAMP(3) WHERE name = ?',
    [migration.name]
  )
}

async function underLock<T>(
  database: Database,
  timeoutSeconds: number,
  work: (connection: Connection) => Promise<T>
): Promise<T> {
  const connection = await database.pool.getConnection()
  try {
    // Locks are server-wide names, so the database's own name is part of it.
    const [rows] = await connection.query(`SELECT GET_LOCK(${lockNameOf('migrate')}, ?) AS held`, [
      timeoutSeconds
    ])
    if ((rows as { held: number | null }[])[0]?.held !== 1) {
      throw new MigrationError(
        `another process has been migrating this database for ${timeoutSeconds} s: wait for it, or end it, then try again`
      )
    }
    await connection.query(createTable)
    return await work(connection)
  } finally {
    // The lock belongs to the connection: closing it releases the lock whatever happened.
    connection.destroy()
  }
}
