// `npm run migrate`: brings the database that DATABASE_URL names up to this version. Any number may run at once.
//   npm run migrate -- --mark-applied NAME   settles a half-applied migration whose statement took effect
//   npm run migrate -- --retry NAME          settles one whose statement did not
import { parseArgs } from 'node:util'
import { type Database, openDatabase } from '../drizzle/client.ts'
import { migrate, repair } from '../drizzle/migrate.ts'
import { readMigrationConfig } from './config.ts'
import { explain, Setback } from './setback.ts'

/** DDL on a large table takes its time, and another process may be migrating; a frozen server must still not hold us for ever. */
const statementTimeoutMs = 600_000
const usage = 'usage: npm run migrate [-- --mark-applied NAME | -- --retry NAME]'

async function main(): Promise<void> {
  const options = readOptions()
  const { databaseUrl } = readMigrationConfig()
  const database = openDatabase(databaseUrl, { connectionsMax: 2, statementTimeoutMs })
  try {
    await work(database, options)
  } finally {
    await database.close()
  }
}

async function work(database: Database, options: ReturnType<typeof readOptions>): Promise<void> {
  const { 'mark-applied': applied, retry } = options
  if (applied !== undefined) await repair(database, applied, 'applied')
  if (retry !== undefined) await repair(database, retry, 'retry')
  const names = await migrate(database)
  for (const name of names) process.stdout.write(`applied ${name}\n`)
  process.stdout.write(names.length === 0 ? 'the database is up to date\n' : '')
}

function readOptions() {
  const options = { 'mark-applied': { type: 'string' }, retry: { type: 'string' } } as const
  try {
    const { values } = parseArgs({ options })
    if (values.retry === undefined || values['mark-applied'] === undefined) return values
  } catch (error) {
    throw new Setback(`${(error as Error).message}\n${usage}`)
  }
  throw new Setback(`a migration either took effect or did not\n${usage}`)
}

try {
  await main()
} catch (error) {
  const { text, exitCode } = explain(error)
  process.stderr.write(`${text}\n`)
  process.exitCode = exitCode
}
