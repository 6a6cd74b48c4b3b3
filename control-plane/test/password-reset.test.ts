// A forgotten password: a mailed token sets a new one, once, and everybody who was logged in is out.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { holdUser } from './support/held-user.ts'
import { mailedToken, newcomer } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const newPassword = 'a wholly new password'

t.test('the token sets the password, verifies the address and ends every session', async (t) => {
  const ann = await newcomer(plane, 'ann')
  await ann.post('/v1/auth/forgot-password', { email: ann.email })
  const token = await mailedToken(plane, ann.email)
  const reset = await ann.post('/v1/auth/reset-password', { token, password: newPassword })
  t.equal(reset.status, 204)
  t.equal((await ann.get('/v1/me')).status, 401, 'the access token has stopped')
  t.equal((await ann.post('/v1/auth/refresh')).status, 401, 'and so has the refresh token')
  t.equal((await ann.login()).status, 401, 'and the old password')
  const again = plane.client(ann.email)
  const login = await again.post('/v1/auth/login', { email: ann.email, password: newPassword })
  t.equal(login.status, 200)
  again.token = login.body.access_token
  t.equal((await again.get('/v1/me')).body.email_verified, true)
})

t.test('a token works once', async (t) => {
  const bea = await newcomer(plane, 'bea')
  await bea.post('/v1/auth/forgot-password', { email: bea.email })
  const token = await mailedToken(plane, bea.email)
  const use = () => bea.post('/v1/auth/reset-password', { token, password: newPassword })
  const statuses = (await Promise.all([use(), use()])).map(({ status }) => status)
  t.same(statuses.sort(), [204, 400])
})

t.test('a token works for an hour', async (t) => {
  const carl = await newcomer(plane, 'carl')
  await carl.post('/v1/auth/forgot-password', { email: carl.email })
  const token = await mailedToken(plane, carl.email)
  plane.advance(3_600_000)
  const late = await carl.post('/v1/auth/reset-password', { token, password: newPassword })
  t.match(late, { status: 400, body: { code: 'email_token_invalid' } })
})

t.test('a token that verifies an address sets no password', async (t) => {
  const dora = await newcomer(plane, 'dora')
  const token = await mailedToken(plane, dora.email)
  const answer = await dora.post('/v1/auth/reset-password', { token, password: newPassword })
  t.equal(answer.status, 400)
})

t.test('a reset spends every other link that sets the password', async (t) => {
  const eva = await newcomer(plane, 'eva')
  const tokens: string[] = []
  for (let count = 0; count < 3; count++) {
    await eva.post('/v1/auth/forgot-password', { email: eva.email })
    tokens.push(await mailedToken(plane, eva.email))
  }
  const [first, second, third] = tokens
  const use = (token: unknown) =>
    eva.post('/v1/auth/reset-password', { token, password: newPassword })
  t.equal((await use(second)).status, 204)
  for (const token of [first, second, third]) {
    t.match(await use(token), { status: 400, body: { code: 'email_token_invalid' } })
  }
})

t.test('who used their link can ask for another at once', async (t) => {
  const fred = await newcomer(plane, 'fred')
  for (let count = 0; count < 5; count++) {
    await fred.post('/v1/auth/forgot-password', { email: fred.email })
    await plane.mails()
  }
  const token = await mailedToken(plane, fred.email)
  await fred.post('/v1/auth/reset-password', { token, password: newPassword })
  await fred.post('/v1/auth/forgot-password', { email: fred.email })
  t.not(await mailedToken(plane, fred.email), token)
})

t.test('a login with the old password that a reset overtakes opens no session', async (t) => {
  const gus = await newcomer(plane, 'gus')
  const held = await holdUser(plane, gus.email)
  const login = plane.client(gus.email).login()
  await held.isWaitedFor()
  await held.connection.query("UPDATE users SET password_hash = 'another' WHERE email = ?", [
    gus.email
  ])
  await held.release()
  t.match(await login, { status: 401, body: { code: 'credentials_invalid' } })
  const [rows] = await plane.database.pool.query(
    `SELECT sessions.id FROM sessions JOIN users ON users.id = user_id WHERE email = ?`,
    [gus.email]
  )
  t.equal((rows as unknown[]).length, 1, 'the one from before')
})

t.test('a session that a login opens before the reset ends with it', async (t) => {
  const hedy = await newcomer(plane, 'hedy')
  await hedy.post('/v1/auth/forgot-password', { email: hedy.email })
  const token = await mailedToken(plane, hedy.email)
  const clients = Array.from({ length: 6 }, () => plane.client(hedy.email))
  const [reset, ...logins] = await Promise.all([
    hedy.post('/v1/auth/reset-password', { token, password: newPassword }),
    ...clients.map((client) => client.login())
  ])
  t.equal(reset.status, 204)
  for (const { status } of logins) t.ok([200, 401].includes(status), String(status))
  for (const client of clients.filter((one) => one.cookie !== null)) {
    t.equal((await client.post('/v1/auth/refresh')).status, 401)
  }
})

t.test('a database that stalls costs nobody their link', async (t) => {
  const stalling = await startControlPlane({
    databaseUrl: plane.config.databaseUrl,
    statementTimeoutMs: 300
  })
  t.teardown(() => stalling.stop())
  const ida = await newcomer(plane, 'ida')
  const verification = await mailedToken(plane, ida.email)
  await ida.post('/v1/auth/forgot-password', { email: ida.email })
  const reset = await mailedToken(plane, ida.email)
  const client = stalling.client()
  const verify = () =>
    client.post('/v1/auth/verify-email', { token: verification, password: ida.password })
  const setPassword = () =>
    client.post('/v1/auth/reset-password', { token: reset, password: newPassword })
  const held = await holdUser(plane, ida.email)
  t.match(await verify(), { status: 503, body: { code: 'database_unavailable' } })
  t.match(await setPassword(), { status: 503, body: { code: 'database_unavailable' } })
  await held.release()
  t.equal((await verify()).status, 200)
  t.equal((await setPassword()).status, 204)
})
