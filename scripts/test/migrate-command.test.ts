// `npm run migrate` as an operator uses it: what it did, what to do next, and an exit code that a deployment can trust.

import { join } from 'node:path'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { childEnvironment, projectRoot } from '../config.ts'
import { spawnSync } from './support/processes.ts'

function migrate(databaseUrl: string, ...args: string[]) {
  const program = join(projectRoot, 'scripts/migrate.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env: childEnvironment({ DATABASE_URL: databaseUrl })
  })
  return { status, stdout, stderr }
}

t.test('it applies what is missing, then has nothing to do', async (t) => {
  const { url, drop } = await createTestDatabase({ migrated: false })
  t.teardown(drop)
  const first = migrate(url)
  t.equal(first.status, 0)
  t.match(first.stdout, /^applied 0000\.01_create_table_email_tokens\.sql\n/)
  t.same(migrate(url), { status: 0, stdout: 'the database is up to date\n', stderr: '' })
})

t.test(
  'a half-applied migration is named, and settled by the command that the message gives',
  async (t) => {
    const { url, database, drop } = await createTestDatabase()
    t.teardown(drop)
    const [rows] = await database.pool.query('SELECT MAX(name) AS name FROM schema_migrations')
    const { name } = (rows as { name: string }[])[0] ?? { name: '' }
    await database.pool.query('UPDATE schema_migrations SET finished_at = NULL WHERE name = ?', [
      name
    ])

    const stopped = migrate(url)
    t.equal(stopped.status, 1)
    t.match(stopped.stderr, `npm run migrate -- --mark-applied ${name}`)
    t.notMatch(stopped.stderr, /\n {4}at /, 'no stack: nothing of ours is broken')

    t.equal(migrate(url, '--mark-applied', 'another').status, 1)
    t.equal(migrate(url, '--mark-applied', name).status, 0)
    t.equal(migrate(url).stdout, 'the database is up to date\n')
  }
)

t.test('wrong use and wrong settings are told', async (t) => {
  const url = 'mysql://root@127.0.0.1:1/x'
  t.match(migrate(url, '--force'), { status: 1, stderr: 'usage: npm run migrate' })
  t.match(migrate(url, '--retry', 'a', '--mark-applied', 'a'), { status: 1, stderr: 'usage' })
  t.match(migrate(''), { status: 78, stderr: 'DATABASE_URL is not set' })
})

t.test(
  'a database that is not there, or is another, is one sentence without a stack',
  async (t) => {
    const nowhere = migrate('mysql://root@127.0.0.1:1/x')
    t.equal(nowhere.status, 1)
    t.match(
      nowhere.stderr,
      /^the database cannot be reached: check that it runs, and DATABASE_URL \(/
    )
    t.equal(nowhere.stderr.trimEnd().split('\n').length, 1)

    const { url, drop } = await createTestDatabase({ migrated: false })
    t.teardown(drop)
    const unknown = migrate(`${url}_not_there`)
    t.match(unknown.stderr, /^the server has no such database: create the one/)
    t.equal(unknown.stderr.trimEnd().split('\n').length, 1)
    const refused = new URL(url)
    refused.username = 'nobody'
    refused.password = 'wrong'
    const denied = migrate(refused.href)
    t.match(denied.stderr, /^the database refuses the user or the password/)
    t.notMatch(denied.stderr, 'wrong')
  }
)
