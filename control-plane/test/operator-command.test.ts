// `npm run operator`: makes or promotes the operator, prints a password once, and never changes one unasked.

import { join } from 'node:path'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { spawn } from '../../scripts/test/support/processes.ts'
import { startControlPlane } from './support/control-plane.ts'
import { newcomer } from './support/people.ts'

const script = join(import.meta.dirname, '../../scripts/operator.ts')
const plane = await startControlPlane()
t.teardown(() => plane.stop())

async function run(args: string[], databaseUrl: string | null = plane.config.databaseUrl) {
  const child = spawn(process.execPath, [script, ...args], {
    env: databaseUrl === null ? {} : { DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  return { code, out, err }
}

async function login(email: string, password: string) {
  const client = plane.client()
  const answer = await client.post('/v1/auth/login', { email, password })
  client.token = answer.body.access_token ?? null
  return { status: answer.status, me: (await client.get('/v1/me')).body }
}

t.test('a new account: verified, operator, one line of JSON with its password', async (t) => {
  const { code, out } = await run(['--email', ' Ops@Example.com ', '--json'])
  t.equal(code, 0)
  t.equal(out.trim().split('\n').length, 1)
  const { user_id, email, password } = JSON.parse(out)
  t.equal(email, 'ops@example.com')
  const { status, me } = await login(email, password)
  t.equal(status, 200)
  t.match(me, { id: user_id, is_operator: true, email_verified: true })

  const again = await run(['--email', email, '--json'])
  t.same(JSON.parse(again.out), { user_id, email, password: null })
  t.equal((await login(email, password)).status, 200, 'the password is kept')

  const reset = await run(['--email', email, '--json', '--reset-password'])
  const fresh = JSON.parse(reset.out).password
  t.equal((await login(email, password)).status, 401)
  t.equal((await login(email, fresh)).status, 200)
})

t.test('an account that registered is promoted and keeps its password', async (t) => {
  const ann = await newcomer(plane, 'ann')
  const { code, out } = await run(['--email', ann.email])
  t.equal(code, 0)
  t.match(out, 'with the password it had')
  t.match((await ann.get('/v1/me')).body, { is_operator: true, email_verified: true })
})

t.test('what is wrong is told, with its own exit code', async (t) => {
  const missing = await run([])
  t.equal(missing.code, 64)
  t.match(missing.err, 'usage: npm run operator')
  t.equal((await run(['--email', 'nobody'])).code, 64)
  t.equal((await run(['--mail', 'a@example.com'])).code, 64)
  const unset = await run(['--email', 'a@example.com'], null)
  t.equal(unset.code, 78)
  t.match(unset.err, 'DATABASE_URL')
  const down = await run(['--email', 'a@example.com'], 'mysql://root@127.0.0.1:1/x')
  t.equal(down.code, 1)
  t.match(down.err, 'ECONNREFUSED')
  const empty = await createTestDatabase({ migrated: false })
  t.teardown(() => empty.drop())
  const unmigrated = await run(['--email', 'a@example.com'], empty.url)
  t.equal(unmigrated.code, 1)
  t.match(unmigrated.err, 'npm run migrate')
})
