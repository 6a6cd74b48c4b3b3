// Who gets an access token, and which ones are believed.
import { createHmac } from 'node:crypto'
import t from 'tap'
import { jwtSecret, startControlPlane } from './support/control-plane.ts'
import { newcomer, operator } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await newcomer(plane, 'ann')

t.test(
  'login answers a bearer token for 15 minutes and a cookie that scripts cannot read',
  async (t) => {
    const answer = await plane.client(ann.email).login()
    t.equal(answer.status, 200)
    t.match(answer.body, { token_type: 'Bearer', expires_in: 900 })
    t.equal(answer.headers.get('cache-control'), 'no-store')
    const cookie = answer.headers.getSetCookie()[0] ?? ''
    for (const part of ['HttpOnly', 'SameSite=Strict', 'Path=/v1/auth']) t.match(cookie, part)
    t.notMatch(cookie, 'Secure', 'not over plain http')
  }
)

t.test('behind https the cookie is Secure', async (t) => {
  const secure = await startControlPlane({ config: { portalOrigin: 'https://portal.example.com' } })
  t.teardown(() => secure.stop())
  const bea = await newcomer(secure, 'bea')
  const cookies = (await bea.login()).headers.getSetCookie()
  t.equal(cookies.length, 2)
  for (const cookie of cookies) {
    t.match(cookie, /^__Secure-sluice_(refresh|device)=/, 'nothing without TLS can plant it')
    t.match(cookie, /; Secure/)
  }
  const { cookie } = bea
  const refresh = (name: string) =>
    secure.client().post('/v1/auth/refresh', undefined, { cookie: `${name}=${cookie}` })
  t.equal((await refresh('sluice_refresh')).status, 401, 'by that name it is not read')
  t.equal((await refresh('__Secure-sluice_refresh')).status, 200)
})

t.test('a wrong password and an unknown address get the same answer', async (t) => {
  const wrong = await plane.client().post('/v1/auth/login', { email: ann.email, password: 'no' })
  const unknown = await plane
    .client()
    .post('/v1/auth/login', { email: 'nobody@example.com', password: 'no' })
  const garbage = await plane.client().post('/v1/auth/login', { email: '\u0000', password: 'no' })
  for (const answer of [wrong, unknown, garbage]) {
    t.equal(answer.status, 401)
    t.same(
      { ...answer.body, request_id: '' },
      {
        type: 'urn:sluice:problem:credentials_invalid',
        title: 'The email or the password is wrong',
        status: 401,
        code: 'credentials_invalid',
        request_id: ''
      }
    )
  }
})

t.test('an access token stops after 15 minutes', async (t) => {
  const client = plane.client(ann.email)
  await client.login()
  t.equal((await client.get('/v1/me')).status, 200)
  plane.advance(15 * 60_000 + 1000)
  t.match(await client.get('/v1/me'), { status: 401, body: { code: 'access_token_invalid' } })
})

t.test('a token is believed only as it was issued', async (t) => {
  const client = plane.client(ann.email)
  await client.login()
  const [head = '', body = '', signature = ''] = (client.token ?? '').split('.')
  const header = decode(head)
  const claims = decode(body)
  const forgeries: Record<string, string> = {
    'another signature': `${head}.${body}.${signature.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))}`,
    'no signature': `${encode({ ...header, alg: 'none' })}.${body}.`,
    'another user': `${head}.${encode({ ...claims, sub: 'usr_1' })}.${signature}`,
    'another algorithm': sign({ ...header, alg: 'HS512' }, claims, 'sha512'),
    'another audience': sign(header, { ...claims, aud: 'other' }),
    'another issuer': sign(header, { ...claims, iss: 'other' }),
    'an unknown key': sign({ ...header, kid: 'other' }, claims),
    'no key': sign({ alg: 'HS256', typ: 'JWT' }, claims),
    'no expiry': sign(header, { ...claims, exp: undefined }),
    'no audience': sign(header, { ...claims, aud: undefined }),
    'no issuer': sign(header, { ...claims, iss: undefined }),
    'a list of users': sign(header, { ...claims, sub: [claims.sub] }),
    'two users': sign(header, { ...claims, sub: [claims.sub, 'usr_x'] }),
    'a list of sessions': sign(header, { ...claims, sid: [claims.sid] }),
    'an issue date of letters': sign(header, { ...claims, iat: 'x' }),
    'another session': sign(header, { ...claims, sid: 'ses_1' }),
    'no token at all': 'nonsense'
  }
  for (const [name, token] of Object.entries(forgeries)) {
    client.token = token
    t.match(
      await client.get('/v1/me'),
      { status: 401, body: { code: 'access_token_invalid' } },
      name
    )
  }
  client.token = sign(header, claims)
  t.equal((await client.get('/v1/me')).status, 200, 'the forger of this test can sign')
})

t.test('what the bearer may do is read each time, not taken from the token', async (t) => {
  const { email } = await newcomer(plane, 'bob')
  const bob = plane.client(email)
  await bob.login()
  t.equal((await bob.get('/v1/orgs?scope=all')).status, 403)
  await plane.database.pool.query('UPDATE users SET is_operator = 1 WHERE email = ?', [email])
  t.equal((await bob.get('/v1/orgs?scope=all')).status, 200)
})

t.test('attempts are limited for each address', async (t) => {
  const limited = await startControlPlane({ config: { authAttemptsPerMinute: 3 } })
  t.teardown(() => limited.stop())
  const guess = (email: string) =>
    limited.client().post('/v1/auth/login', { email, password: 'guess' })
  for (let count = 0; count < 3; count++) t.equal((await guess('a@example.com')).status, 401)
  const refused = await guess('a@example.com')
  t.match(refused, { status: 429, body: { code: 'rate_limited' } })
  t.ok(Number(refused.headers.get('retry-after')) >= 1)
})

t.test('who is the operator logs in like everybody', async (t) => {
  t.equal((await (await operator(plane)).get('/v1/me')).body.is_operator, true)
})

function decode(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}
function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
function sign(header: object, claims: object, hash = 'sha256'): string {
  const text = `${encode(header)}.${encode(claims)}`
  return `${text}.${createHmac(hash, jwtSecret).update(text).digest('base64url')}`
}
