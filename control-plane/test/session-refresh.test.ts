// The refresh token: used once, replaced each time, forgiving for 30 seconds, and fatal for the session after that.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { Client } from './support/client.ts'
import { jwtSecret, startControlPlane } from './support/control-plane.ts'
import { newcomer } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await newcomer(plane, 'ann')

async function session(): Promise<Client> {
  const client = plane.client(ann.email)
  await client.login()
  return client
}
/** Refreshes with a certain token, whatever the client holds now. */
async function refreshWith(token: string | null) {
  const client = plane.client()
  client.cookie = token
  const answer = await client.post('/v1/auth/refresh')
  return { status: answer.status, code: answer.body.code, next: client.cookie, answer }
}

t.test('a refresh answers a new access token and another refresh token', async (t) => {
  const client = await session()
  const { cookie: first, token } = client
  const answer = await client.post('/v1/auth/refresh')
  t.equal(answer.status, 200)
  t.not(client.cookie, first)
  t.equal((await client.get('/v1/me')).status, 200)
  client.token = answer.body.access_token
  t.equal((await client.get('/v1/me')).status, 200)
  t.ok(token)
})

t.test('refreshes at the same moment all get the same successor', async (t) => {
  const { cookie } = await session()
  const answers = await Promise.all(Array.from({ length: 8 }, () => refreshWith(cookie)))
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal(new Set(answers.map(({ next }) => next)).size, 1)
})

t.test(
  'within 30 seconds a used token gets the same successor, even when that was used too',
  async (t) => {
    const { cookie } = await session()
    const first = await refreshWith(cookie)
    const second = await refreshWith(first.next)
    plane.advance(29_000)
    const replay = await refreshWith(cookie)
    t.equal(replay.status, 200)
    t.equal(replay.next, first.next)
    t.equal((await refreshWith(second.next)).status, 200)
  }
)

t.test('a used token that comes back later ends the whole family', async (t) => {
  const { cookie } = await session()
  const first = await refreshWith(cookie)
  plane.advance(30_001)
  const replay = await refreshWith(cookie)
  t.match(replay, { status: 401, code: 'refresh_token_invalid' })
  t.equal((await refreshWith(first.next)).status, 401, 'the successor is dead too')
  const me = plane.client()
  me.token = first.answer.body.access_token
  t.equal((await me.get('/v1/me')).status, 401, 'and the access token')
})

t.test('no token, an invented one and an expired one are refused alike', async (t) => {
  const { cookie } = await session()
  t.match(await refreshWith(null), { status: 401, code: 'refresh_token_invalid' })
  const invented = randomBytes(32).toString('base64url')
  t.match(await refreshWith(invented), { status: 401, code: 'refresh_token_invalid' })
  plane.advance(30 * 86_400_000)
  t.match(await refreshWith(cookie), { status: 401, code: 'refresh_token_invalid' })
})

t.test('a session ends after 90 days, however often it is refreshed', async (t) => {
  const client = await session()
  for (let month = 0; month < 3; month++) {
    plane.advance(29.9 * 86_400_000)
    t.equal((await client.post('/v1/auth/refresh')).status, 200)
  }
  plane.advance(86_400_000)
  t.equal((await client.post('/v1/auth/refresh')).status, 401)
})

t.test(
  'logout ends the session at once, access token and all, and is no failure twice',
  async (t) => {
    const client = await session()
    const { cookie } = client
    t.equal((await client.post('/v1/auth/logout')).status, 204)
    t.equal(client.cookie, null, 'the cookie is cleared')
    t.equal((await client.get('/v1/me')).status, 401)
    t.equal((await refreshWith(cookie)).status, 401)
    client.cookie = cookie
    t.equal((await client.post('/v1/auth/logout')).status, 204)
  }
)

t.test('pages of another origin cannot use the cookie', async (t) => {
  const client = await session()
  const from = (origin: string) => client.post('/v1/auth/refresh', undefined, { origin })
  t.match(await from('https://evil.example.com'), {
    status: 403,
    body: { code: 'origin_not_allowed' }
  })
  t.equal((await from(plane.url)).status, 200)
  t.equal((await from(plane.config.portalOrigin)).status, 200)
})

t.test('sessions outlive a change of the secret that signs them', async (t) => {
  const client = await session()
  const old = client.cookie
  const successor = await refreshWith(old)
  const other = await startControlPlane({
    databaseUrl: plane.config.databaseUrl,
    config: { jwtSecrets: [randomBytes(32).toString('hex'), jwtSecret] }
  })
  t.teardown(() => other.stop())
  const moved = other.client()
  moved.token = client.token
  // The other process's clock was never moved, so the session must be younger than its now: it is not expired there.
  moved.cookie = old
  const replay = await moved.post('/v1/auth/refresh')
  t.equal(replay.status, 200)
  t.equal(moved.cookie, successor.next, 'the successor that the old secret made')
})

t.test('a session whose user is gone is refreshed no more', async (t) => {
  const { email } = await newcomer(plane, 'bob')
  const client = plane.client(email)
  await client.login()
  await plane.database.pool.query('DELETE FROM users WHERE email = ?', [email])
  t.match(await client.post('/v1/auth/refresh'), {
    status: 401,
    body: { code: 'refresh_token_invalid' }
  })
})
