// What the log says of a failed statement: what is wrong with it, never its values, which are tenants' data.
import { sql } from 'drizzle-orm'
import t from 'tap'
import { newId } from '../../drizzle/ids.ts'
import { callErrors } from '../../drizzle/schema/index.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { describeError } from '../telemetry/log.ts'

const db = await createTestDatabase()
t.teardown(() => db.drop())
const secret = '["the params of a tenant"]'

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (one: unknown) => one
  )
  return JSON.stringify(describeError(error))
}

t.test('a statement that the database refuses is named by its error alone', async (t) => {
  const row = {
    id: newId('err'),
    orgId: 'org_1',
    endpointId: 'ep_1',
    keyId: 'key_1',
    occurredAt: new Date(),
    method: 'eth_call',
    code: 2 ** 40,
    reason: 'upstream',
    status: 200,
    durationMs: 1,
    requestId: 'request-1',
    params: secret
  }
  const { orm, pool } = db.database
  const ofDrizzle = await failureOf(orm.insert(callErrors).values(row))
  t.match(ofDrizzle, /ER_WARN_DATA_OUT_OF_RANGE/)
  t.notMatch(ofDrizzle, /params of/)
  const ofDriver = await failureOf(pool.query('INSERT INTO nowhere VALUES (?)', [secret]))
  t.match(ofDriver, /ER_NO_SUCH_TABLE/)
  t.notMatch(ofDriver, /params of/)
  t.notMatch(await failureOf(orm.execute(sql`SELECT ${secret} FROM nowhere`)), /params of/)
})

t.test('a bug keeps its message, its frames and its cause', async (t) => {
  const bug = new TypeError('x is not a function', { cause: new Error('because') })
  t.match(describeError(bug), {
    type: 'TypeError',
    message: 'x is not a function',
    stack: /logged-errors\.test\.ts/,
    cause: { message: 'because' }
  })
  t.equal(describeError({ secret }), 'object')
  t.equal(describeError('text'), 'text')
})
