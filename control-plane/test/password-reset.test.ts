// A forgotten password: a mailed token sets a new one, once, and everybody who was logged in is out.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
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
