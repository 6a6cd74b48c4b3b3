// A database of its own for every test file that asks for one: created, migrated, and dropped when the file is done.
import { randomBytes } from 'node:crypto'
import { type Database, openDatabase } from '../../client.ts'
import { migrate } from '../../migrate.ts'
import { testServerUrl } from './config.ts'

export interface TestDatabase {
  /** What DATABASE_URL would be. */
  url: string
  database: Database
  drop(): Promise<void>
}

export async function createTestDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const server = openDatabase(testServerUrl().href, { connectionsMax: 1 })
  const name = `sluice_test_${randomBytes(6).toString('hex')}`
  await server.pool.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`)
  const url = new URL(testServerUrl())
  url.pathname = `/${name}`
  const database = openDatabase(url.href, { statementTimeoutMs: 60_000 })
  if (migrated) await migrate(database)
  return {
    url: url.href,
    database,
    async drop() {
      await database.close()
      await server.pool.query(`DROP DATABASE IF EXISTS ${name}`)
      await server.close()
    }
  }
}
