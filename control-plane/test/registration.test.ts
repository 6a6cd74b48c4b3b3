// An account from registration to a verified address, and what nobody can learn from it.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { mailedToken, newcomer, registration } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())

t.test('register creates a user and an org of which they are the owner', async (t) => {
  const ann = await newcomer(plane, 'ann')
  const me = await ann.get('/v1/me')
  t.match(me.body, { email: 'ann@example.com', email_verified: false, is_operator: false })
  t.match(me.body.id, /^usr_[0-9a-z]{26}$/)
  const orgs = await ann.get('/v1/orgs')
  t.match(orgs.body, { data: [{ name: 'Example & co', role: 'owner' }], has_more: false })
})

t.test('an address is the same however it is typed', async (t) => {
  const client = plane.client('  Bea.Müller@Example.COM ')
  await client.post('/v1/auth/register', registration(client))
  const again = plane.client('bea.mu\u0308ller@example.com')
  t.equal((await again.login()).status, 200)
  t.equal((await again.get('/v1/me')).body.email, 'bea.müller@example.com')
})

t.test(
  'a second registration of an address answers like the first, and changes nothing',
  async (t) => {
    const first = plane.client('carl@example.com')
    const created = await first.post('/v1/auth/register', registration(first))
    const token = await mailedToken(plane, first.email)
    const second = await first.post('/v1/auth/register', {
      ...registration(first),
      password: 'another password'
    })
    t.equal(second.status, created.status)
    t.same(second.body, created.body)
    t.match((await plane.mails()).at(-1), /already have an account/i)
    t.equal((await first.login()).status, 200, 'the first password still is the password')
    t.equal((await first.post('/v1/auth/verify-email', { token })).status, 200)
  }
)

t.test('two registrations of one address at the same moment make one account', async (t) => {
  const client = plane.client('dora@example.com')
  const answers = await Promise.all([
    client.post('/v1/auth/register', registration(client)),
    client.post('/v1/auth/register', registration(client))
  ])
  t.same(
    answers.map(({ status }) => status),
    [201, 201]
  )
  await client.login()
  t.equal((await client.get('/v1/orgs')).body.data.length, 1)
})

t.test('the mailed token verifies the address, once', async (t) => {
  const eve = await newcomer(plane, 'eve')
  const token = await mailedToken(plane, eve.email)
  const verified = await eve.post('/v1/auth/verify-email', { token })
  t.match(verified, { status: 200, body: { email: eve.email, email_verified: true } })
  t.equal((await eve.get('/v1/me')).body.email_verified, true)
  const again = await eve.post('/v1/auth/verify-email', { token })
  t.match(again, { status: 400, body: { code: 'email_token_invalid' } })
})

t.test('a token that is a day old verifies nothing; a new one does', async (t) => {
  const fay = await newcomer(plane, 'fay')
  const old = await mailedToken(plane, fay.email)
  plane.advance(24 * 3_600_000)
  t.equal((await fay.post('/v1/auth/verify-email', { token: old })).status, 400)
  t.equal((await fay.post('/v1/auth/resend-verification', { email: fay.email })).status, 202)
  const token = await mailedToken(plane, fay.email)
  t.not(token, old)
  t.equal((await fay.post('/v1/auth/verify-email', { token })).status, 200)
})

t.test('resend and forgot answer the same for an address that has no account', async (t) => {
  const gil = await newcomer(plane, 'gil')
  for (const path of ['/v1/auth/resend-verification', '/v1/auth/forgot-password']) {
    const known = await gil.post(path, { email: gil.email })
    const sent = (await plane.mails()).length
    const unknown = await gil.post(path, { email: 'gus@example.com' })
    t.equal(unknown.status, known.status)
    t.equal(unknown.body.message.replaceAll('gus', 'gil'), known.body.message)
    t.equal((await plane.mails()).length, sent, 'and nothing is mailed')
  }
})

t.test('an address is not flooded: five mails of a kind in an hour', async (t) => {
  const hal = await newcomer(plane, 'hal')
  for (let count = 0; count < 4; count++) {
    const answer = await hal.post('/v1/auth/forgot-password', { email: hal.email })
    t.equal(answer.status, 202)
    t.equal((await hal.post('/v1/auth/register', registration(hal))).status, 201)
    await plane.mails()
  }
  const toHal = (await plane.mails()).filter((mail) => mail.includes(`To: ${hal.email}\n`))
  t.equal(toHal.length, 1 + 5, 'the first verifies the address')
  plane.advance(3_600_000)
  await hal.post('/v1/auth/forgot-password', { email: hal.email })
  t.match((await plane.mails()).at(-1), `To: ${hal.email}\n`)
})

t.test('who has not verified their address creates no endpoint', async (t) => {
  const ida = await newcomer(plane, 'ida')
  const answer = await ida.post(`/v1/orgs/${ida.orgId}/endpoints`, { name: 'one', chain: 'demo' })
  t.match(answer, { status: 403, body: { code: 'email_not_verified' } })
})

t.test('registration can be closed', async (t) => {
  const closed = await startControlPlane({ config: { registrationOpen: false } })
  t.teardown(() => closed.stop())
  const client = closed.client('jon@example.com')
  const answer = await client.post('/v1/auth/register', registration(client))
  t.match(answer, { status: 403, body: { code: 'registration_closed' } })
})

t.test('eighteen requests at the same moment are five mails', async (t) => {
  const kim = await newcomer(plane, 'kim')
  const before = (await plane.mails()).length
  const ask = () => kim.post('/v1/auth/forgot-password', { email: kim.email })
  await Promise.all(Array.from({ length: 18 }, ask))
  t.equal((await plane.mails()).length - before, 5)
})

t.test('whoever follows the link must be who registered', async (t) => {
  const squatter = await newcomer(plane, 'lea')
  const token = await mailedToken(plane, squatter.email)
  const owner = plane.client(squatter.email)
  const follow = (password?: string) => owner.post('/v1/auth/verify-email', { token, password })
  t.match(await follow(), { status: 403, body: { code: 'password_required' } })
  t.match(await follow('another password'), { status: 401, body: { code: 'credentials_invalid' } })
  const other = await newcomer(plane, 'max')
  const withOther = await other.post('/v1/auth/verify-email', { token })
  t.equal(withOther.status, 403, "somebody else's session shows nothing")
  t.equal((await squatter.get('/v1/me')).body.email_verified, false)

  await owner.post('/v1/auth/forgot-password', { email: owner.email })
  const reset = await mailedToken(plane, owner.email)
  await owner.post('/v1/auth/reset-password', { token: reset, password: 'the true owner has it' })
  t.equal((await squatter.get('/v1/me')).status, 401, 'what was made before has ended')
  t.equal((await squatter.login()).status, 401)
})

t.test('who registered follows the link on another device with the password', async (t) => {
  const nora = await newcomer(plane, 'nora')
  const token = await mailedToken(plane, nora.email)
  const phone = plane.client()
  const answer = await phone.post('/v1/auth/verify-email', { token, password: nora.password })
  t.match(answer, { status: 200, body: { email_verified: true } })
  t.equal((await nora.get('/v1/me')).status, 200, 'the session goes on')
})

t.test('a refresh token that was spent long ago proves nothing', async (t) => {
  const olaf = await newcomer(plane, 'olaf')
  const token = await mailedToken(plane, olaf.email)
  const spent = olaf.cookie
  await olaf.post('/v1/auth/refresh')
  t.not(olaf.cookie, spent)
  plane.advance(60_000)
  const thief = plane.client()
  thief.cookie = spent
  t.match(await thief.post('/v1/auth/verify-email', { token }), {
    status: 403,
    body: { code: 'password_required' }
  })
  t.equal((await olaf.post('/v1/auth/verify-email', { token })).status, 200)
})

t.test('a password that is guessed first is refused, and says why', async (t) => {
  const client = plane.client('otto@example.com')
  for (const password of [
    'password1234',
    'otto@example.com',
    'sluicesluice',
    '\ud800'.repeat(12)
  ]) {
    const answer = await client.post('/v1/auth/register', { ...registration(client), password })
    t.match(
      answer,
      { status: 400, body: { code: 'validation_failed', errors: [{ pointer: '#/password' }] } },
      password
    )
  }
})
