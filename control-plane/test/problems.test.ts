// The catalogue of failures: each row is produced by its real cause, as application/problem+json with the request id.
import { createServer } from 'node:net'
import t from 'tap'
import { failures } from '../errors.ts'
import type { Answer } from './support/client.ts'
import { startControlPlane } from './support/control-plane.ts'
import {
  endpointOf,
  mailedToken,
  member,
  newcomer,
  operator,
  registration
} from './support/people.ts'
import { bodies } from './support/routes.ts'

const produced: { answer: Answer; code: keyof typeof failures }[] = []
const check = (answer: Answer, code: keyof typeof failures) => produced.push({ answer, code })

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const nobody = plane.client()
const ann = await member(plane, 'ann')
const unverified = await newcomer(plane, 'bob')
const theOperator = await operator(plane)
const endpoint = await endpointOf(plane, ann)
const createPath = `/v1/orgs/${ann.orgId}/endpoints`
const login = (body: unknown, headers: Record<string, string> = {}) =>
  nobody.send('POST', '/v1/auth/login', body, headers)

/** Sends a body as it is. */
async function raw(body: string, contentType: string): Promise<Answer> {
  const response = await fetch(`${plane.url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

check(await raw('{"email":', 'application/json'), 'malformed_request')
check(await login({}), 'validation_failed')
check(await nobody.post('/v1/auth/verify-email', bodies.verifyEmail), 'email_token_invalid')
check(await nobody.get('/v1/me'), 'authentication_required')
check(await nobody.get('/v1/me', { authorization: 'Bearer x' }), 'access_token_invalid')
check(await login({ email: ann.email, password: 'x' }), 'credentials_invalid')
await nobody.post('/v1/auth/login', { email: 'guessed@example.com', password: 'x' })
await plane.database.pool.query(
  'UPDATE attempt_counts SET attempts = 100 WHERE expires_at > NOW() + INTERVAL 1 DAY'
)
check(await login({ email: 'guessed@example.com', password: 'x' }), 'sign_in_guarded')
await plane.database.pool.query('DELETE FROM attempt_counts')
const token = await mailedToken(plane, unverified.email)
check(await nobody.post('/v1/auth/verify-email', { token }), 'password_required')
check(await nobody.post('/v1/auth/refresh'), 'refresh_token_invalid')
check(
  await nobody.post('/v1/auth/refresh', undefined, { origin: 'https://evil.example.com' }),
  'origin_not_allowed'
)
check(
  await unverified.post(`/v1/orgs/${unverified.orgId}/endpoints`, bodies.createEndpoint),
  'email_not_verified'
)
check(await ann.post('/v1/chains', bodies.createChain), 'operator_required')
const reveal = `${endpoint.path}/keys/${endpoint.keys[0].id}/reveal`
check(await theOperator.post(reveal), 'role_required')
await theOperator.post(`/v1/orgs/${ann.orgId}/suspend`)
check(await ann.post(reveal), 'org_suspended')
await theOperator.post(`/v1/orgs/${ann.orgId}/resume`)
check(await ann.get('/v1/nothing'), 'not_found')
check(await theOperator.post('/v1/chains', { name: 'demo', kind: 'evm' }), 'name_taken')
check(await theOperator.delete('/v1/chains/demo'), 'chain_in_use')
check(await raw(`{"email":"${'x'.repeat(70_000)}"}`, 'application/json'), 'body_too_large')
check(await nobody.get('/v1/me', { 'x-large': 'x'.repeat(20_000) }), 'headers_too_large')
check(await raw('email=x', 'application/x-www-form-urlencoded'), 'media_type_not_supported')
const withKey = (key: string, name: string) =>
  ann.post(createPath, { name, chain: 'demo' }, { 'idempotency-key': key })
await withKey('a', 'one')
check(await withKey('a', 'two'), 'idempotency_key_reused')
await plane.database.pool.query('UPDATE idempotency_keys SET status_code = NULL')
check(await withKey('a', 'one'), 'idempotency_in_flight')
plane.advance(60_000)
check(await withKey('a', 'one'), 'idempotency_outcome_unknown')
await ann.post(`${endpoint.path}/rotate`, { overlap_seconds: 0 })
check(await ann.post(reveal), 'key_not_active')

const strict = await startControlPlane({
  databaseUrl: plane.config.databaseUrl,
  config: {
    registrationOpen: false,
    keyReveal: false,
    orgsPerUserMax: 1,
    authAttemptsPerMinute: 4,
    liveStreamsPerUserMax: 0,
    passwordQueueMax: 0
  }
})
t.teardown(() => strict.stop())
const annAgain = strict.client(ann.email)
await annAgain.login()
check(await annAgain.post('/v1/auth/register', registration(annAgain)), 'registration_closed')
check(await annAgain.get(`${endpoint.path}/usage/live`), 'too_many_streams')
const unstored = await annAgain.post(createPath, { name: 'x', chain: 'demo' })
const unstoredReveal = `${createPath}/${unstored.body.id}/keys/${unstored.body.keys[0].id}/reveal`
check(await annAgain.post(unstoredReveal), 'reveal_disabled')
check(await ann.post(unstoredReveal), 'secret_not_stored')
check(await annAgain.post('/v1/orgs', { name: 'x' }), 'limit_reached')
const crowd = await Promise.all(
  ['x', 'y', 'z'].map((name) =>
    strict.client().post('/v1/auth/login', { email: `${name}@example.com`, password: 'x' })
  )
)
check(crowd.find(({ status }) => status === 429) ?? never(), 'passwords_busy')
check(
  await strict.client().post('/v1/auth/login', { email: 'x@example.com', password: 'x' }),
  'rate_limited'
)

// A bug: a row that no code of ours writes.
await plane.database.pool.query("UPDATE chains SET method_weights = 'not json'")
check(await ann.get('/v1/chains'), 'internal')
await plane.database.pool.query("UPDATE chains SET method_weights = '{}'")

// A deadlock with another transaction, which has done more and so survives it.
const other = await plane.database.pool.getConnection()
await other.query('START TRANSACTION')
await other.query('UPDATE change_sequence SET last_id = last_id')
const rows = Array.from({ length: 100 }, (_, n) => `('usr_x', 'k${n}', REPEAT('h', 32), NOW(3))`)
await other.query(
  `INSERT INTO idempotency_keys (user_id, \`key\`, request_hash, created_at) VALUES ${rows.join()}`
)
const victim = ann.patch(`/v1/orgs/${ann.orgId}`, { name: 'x' })
await orgIsLocked()
await other.query('SELECT * FROM orgs FOR UPDATE')
check(await victim, 'overloaded')
await other.query('ROLLBACK')
other.release()

const empty = await startControlPlane({ migrated: false })
t.teardown(() => empty.stop())
check(await empty.client().post('/v1/auth/login', bodies.login), 'migrations_pending')

const gone = await startControlPlane({
  databaseUrl: `mysql://root@127.0.0.1:${await freePort()}/x`
})
t.teardown(() => gone.stop())
check(await gone.client().post('/v1/auth/login', bodies.login), 'database_unavailable')

t.test('every row of the catalogue was produced', async (t) => {
  t.same(produced.map(({ code }) => code).sort(), Object.keys(failures).sort())
})

for (const { answer, code } of produced) {
  const { status, title } = failures[code]
  t.test(`${code}: ${status}`, async (t) => {
    t.equal(answer.status, status)
    t.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8')
    t.match(answer.body, { type: `urn:sluice:problem:${code}`, title, status, code })
    t.equal(answer.body.request_id, answer.headers.get('x-request-id'))
    t.match(answer.body.request_id, /^[0-9a-f]{24}$/)
  })
}

t.test('a problem that may pass says when to come back', async (t) => {
  const answer = await gone.client().post('/v1/auth/login', bodies.login)
  t.equal(answer.headers.get('retry-after'), '1')
})

t.test('a bug tells the outside nothing', async (t) => {
  await plane.database.pool.query("UPDATE chains SET method_weights = 'not json'")
  const { body } = await ann.get('/v1/chains')
  t.same(Object.keys(body).sort(), ['code', 'request_id', 'status', 'title', 'type'])
})

/** Resolves when a transaction holds the lock of the org's row. */
async function orgIsLocked(): Promise<void> {
  for (;;) {
    try {
      await plane.database.pool.query('SELECT id FROM orgs WHERE id = ? FOR UPDATE NOWAIT', [
        ann.orgId
      ])
    } catch {
      return
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

function never(): never {
  throw new Error('nothing was refused')
}
