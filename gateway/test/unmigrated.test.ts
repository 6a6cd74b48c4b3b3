// A gateway whose database cannot be used says in one sentence what to do, in its log and in /readyz, and goes on by
// itself as soon as somebody has done it.
import t from 'tap'
import { migrate } from '../../drizzle/migrate.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'

t.test(
  'gateway: an unmigrated database is told without a stack, and served once migrated',
  async (t) => {
    const db = await createTestDatabase({ migrated: false })
    const gateway = await startGateway({ databaseUrl: db.url, ready: false })
    t.teardown(async () => {
      await gateway.stop()
      await db.drop()
    })
    const sentence = 'the database has not been migrated: run npm run migrate'
    await until(
      async () => (await gateway.readyz()).body.checks.database?.startsWith(sentence) ?? false
    )
    t.match(gateway.output(), sentence)
    t.notMatch(gateway.output(), /"stack":/, 'nothing of ours is broken')
    await migrate(db.database)
    await until(async () => (await gateway.readyz()).status === 200)
  }
)

t.test('gateway: a database that is not there is told without a stack', async (t) => {
  const gateway = await startGateway({ databaseUrl: 'mysql://root@127.0.0.1:1/x', ready: false })
  t.teardown(() => gateway.stop())
  await until(() => gateway.output().includes('the database cannot be reached: check that it runs'))
  t.notMatch(gateway.output(), /"stack":/)
})
