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
