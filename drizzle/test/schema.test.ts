// The schema in TypeScript, the committed migrations and the database they make are one and the same.
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { getTableConfig, MySqlTable } from 'drizzle-orm/mysql-core'
import t from 'tap'
import * as schema from '../schema/index.ts'
import { createTestDatabase } from './support/test-database.ts'

const root = join(import.meta.dirname, '../..')

t.test('drizzle-kit finds nothing to generate', async (t) => {
  const out = join(t.testdir(), 'migrations')
  cpSync(join(root, 'drizzle/migrations'), out, { recursive: true })
  const before = readdirSync(out)
  const kit = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/drizzle-kit/bin.cjs'),
      'generate',
      '--dialect=mysql',
      '--schema=./drizzle/schema/index.ts',
      // drizzle-kit wants it relative to the working directory.
      `--out=${out.slice(root.length + 1)}`
    ],
    { cwd: root, encoding: 'utf8' }
  )
  t.equal(kit.status, 0, kit.stderr)
  t.match(kit.stdout, 'No schema changes')
  t.same(readdirSync(out), before, 'run `node scripts/migration.ts <name>`')
})

interface Column {
  table_name: string
  column_name: string
  is_nullable: 'YES' | 'NO'
  collation_name: string | null
}

t.test('the migrated database has the tables, columns and indexes of the schema', async (t) => {
  const { database, drop } = await createTestDatabase()
  t.teardown(drop)
  const [columns] = await database.pool.query(
    `SELECT TABLE_NAME AS table_name, COLUMN_NAME AS column_name, IS_NULLABLE AS is_nullable, COLLATION_NAME AS collation_name
     FROM information_schema.columns WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'schema_migrations'`
  )
  const [indexes] = await database.pool.query(
    `SELECT DISTINCT TABLE_NAME AS table_name, INDEX_NAME AS index_name, NON_UNIQUE AS non_unique
     FROM information_schema.statistics WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'schema_migrations' AND INDEX_NAME <> 'PRIMARY'`
  )
  const tables = Object.values(schema).filter((value) => value instanceof MySqlTable)
  const configs = tables.map(getTableConfig)

  const expectedColumns = configs.flatMap((table) =>
    table.columns.map((column) => `${table.name}.${column.name} ${column.notNull ? 'NO' : 'YES'}`)
  )
  const foundColumns = (columns as Column[]).map(
    (column) => `${column.table_name}.${column.column_name} ${column.is_nullable}`
  )
  t.same(foundColumns.sort(), expectedColumns.sort())

  const expectedIndexes = configs.flatMap((table) =>
    table.indexes.map(({ config }) => `${table.name} ${config.name} ${config.unique === true}`)
  )
  const foundIndexes = (
    indexes as { table_name: string; index_name: string; non_unique: number }[]
  ).map((index) => `${index.table_name} ${index.index_name} ${Number(index.non_unique) === 0}`)
  t.same(foundIndexes.sort(), expectedIndexes.sort())
  t.ok(expectedIndexes.length > 10 && expectedColumns.length > 50, 'there was something to compare')
})

t.test('no column that is looked up compares without case', async (t) => {
  const { database, drop } = await createTestDatabase()
  t.teardown(drop)
  const [columns] = await database.pool.query(
    `SELECT TABLE_NAME AS table_name, COLUMN_NAME AS column_name, COLLATION_NAME AS collation_name
     FROM information_schema.columns WHERE TABLE_SCHEMA = DATABASE() AND COLLATION_NAME LIKE '%\\_ci'`
  )
  // Free text that nothing is looked up by.
  const freeText = ['users.password_hash', 'sessions.user_agent', 'sessions.ip', 'audit_log.ip']
  const found = (columns as Column[]).map((column) => `${column.table_name}.${column.column_name}`)
  t.same(found.sort(), freeText.sort())
})
