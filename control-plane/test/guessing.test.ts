// Guessing passwords is bounded, and nobody can use the bound to keep somebody else out.
import t from 'tap'
import type { Client } from './support/client.ts'
import { startControlPlane } from './support/control-plane.ts'
import { mailedToken, newcomer } from './support/people.ts'

const plane = await startControlPlane({ config: { trustedProxies: ['127.0.0.1'] } })
t.teardown(() => plane.stop())

/** Signs in from an address. */
async function signIn(
  client: Client,
  ip: string,
  password = client.password,
  email = client.email
) {
  const answer = await client.post('/v1/auth/login', { email, password }, { 'x-forwarded-for': ip })
  return { status: answer.status, code: answer.body.code as string | undefined, answer }
}
/** A browser in which nobody signed in before. */
const browserOf = ({ email, password }: Client) => Object.assign(plane.client(email), { password })
const guess = (person: Client, ip: string) => signIn(browserOf(person), ip, 'a guess')

async function fail(times: number, person: Client, ip: string): Promise<void> {
  for (let count = 0; count < times; count++) await guess(person, ip)
}

t.test('a flood of mails and failures from elsewhere does not keep the owner out', async (t) => {
  const ann = await newcomer(plane, 'ann')
  for (let count = 0; count < 25; count++) {
    await ann.post('/v1/auth/forgot-password', { email: ann.email })
  }
  await fail(12, ann, '192.0.2.1')
  t.match(await guess(ann, '192.0.2.1'), { status: 429, code: 'rate_limited' })
  t.equal((await signIn(browserOf(ann), '192.0.2.2')).status, 200)
})

t.test('a success ends the count', async (t) => {
  const carl = await newcomer(plane, 'carl')
  await fail(9, carl, '192.0.2.1')
  t.equal((await signIn(browserOf(carl), '192.0.2.1')).status, 200)
  await fail(9, carl, '192.0.2.1')
  t.equal((await signIn(browserOf(carl), '192.0.2.1')).status, 200)
})

t.test(
  'guesses at the same moment, over two processes and in every spelling, are one count',
  async (t) => {
    const other = await startControlPlane({
      databaseUrl: plane.config.databaseUrl,
      config: plane.config
    })
    t.teardown(() => other.stop())
    const dora = await newcomer(plane, 'd\u00f6r\u00e4')
    const spellings = [dora.email, dora.email.normalize('NFD'), dora.email.toUpperCase()]
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        (index % 2 === 0 ? plane : other)
          .client()
          .post(
            '/v1/auth/login',
            { email: spellings[index % 3], password: `guess ${index}` },
            { 'x-forwarded-for': '192.0.2.1' }
          )
      )
    )
    const judged = answers.filter(({ status }) => status === 401)
    t.ok(judged.length >= 1 && judged.length <= 10, String(judged.length))
    await fail(10 - judged.length, dora, '192.0.2.1')
    t.equal((await guess(dora, '192.0.2.1')).status, 429)
  }
)

t.test('what was not judged is no failure', async (t) => {
  const busy = await startControlPlane({
    databaseUrl: plane.config.databaseUrl,
    config: { ...plane.config, passwordQueueMax: 0 }
  })
  t.teardown(() => busy.stop())
  const eve = await newcomer(plane, 'eve')
  const from = { 'x-forwarded-for': '192.0.2.1' }
  const answers = await Promise.all(
    Array.from({ length: 9 }, () =>
      busy.client().post('/v1/auth/login', { email: eve.email, password: 'a guess' }, from)
    )
  )
  const judged = answers.filter(({ status }) => status === 401).length
  t.ok(answers.some(({ body }) => body.code === 'passwords_busy'))
  for (let count = judged; count < 10; count++) {
    t.equal((await guess(eve, '192.0.2.1')).status, 401)
  }
  t.equal((await guess(eve, '192.0.2.1')).status, 429)
})

t.test(
  'after 100 failures in a row only known browsers sign in, until a reset by mail',
  async (t) => {
    const fay = await newcomer(plane, 'fay')
    const nobody = plane.client('nobody@example.com')
    for (let network = 0; network < 10; network++) {
      await Promise.all([
        fail(10, fay, `198.51.100.${network}`),
        fail(10, nobody, `198.51.100.${network}`)
      ])
    }
    const refused = await signIn(browserOf(fay), '203.0.113.1')
    t.match(refused, { status: 403, code: 'sign_in_guarded' })
    const unknown = await signIn(browserOf(nobody), '203.0.113.1')
    t.same(
      { ...unknown.answer.body, request_id: '' },
      { ...refused.answer.body, request_id: '' },
      'an address without an account gets the same answer'
    )
    const stolen = browserOf(fay)
    const gus = await newcomer(plane, 'gus')
    stolen.device = gus.device
    t.equal(
      (await signIn(stolen, '203.0.113.1')).status,
      403,
      "another account's device is not known"
    )
    stolen.device = fay.device?.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A')) ?? null
    t.equal((await signIn(stolen, '203.0.113.1')).status, 403, 'nor is a forged one')
    t.equal((await signIn(fay, '203.0.113.1')).status, 200, 'the known browser goes on')
    t.equal((await signIn(browserOf(fay), '203.0.113.1')).status, 403, 'and opens it for no other')
  }
)

t.test(
  'a reset by mail opens the account again, and knows the browser it was made in',
  async (t) => {
    const hal = await newcomer(plane, 'hal')
    for (let network = 0; network < 10; network++) await fail(10, hal, `198.51.100.${network}`)
    t.equal((await signIn(browserOf(hal), '203.0.113.1')).status, 403)
    await hal.post('/v1/auth/forgot-password', { email: hal.email })
    const token = await mailedToken(plane, hal.email)
    const old = hal.device
    const browser = plane.client(hal.email)
    const password = 'another long phrase'
    t.equal((await browser.post('/v1/auth/reset-password', { token, password })).status, 204)
    t.ok(browser.device)
    const elsewhere = browserOf(hal)
    t.equal((await signIn(elsewhere, '203.0.113.2', password)).status, 200, 'any browser again')
    await fail(11, hal, '203.0.113.3')
    elsewhere.device = old
    t.equal(
      (await signIn(elsewhere, '203.0.113.3', password)).status,
      429,
      'the old one is not known'
    )
    t.equal((await signIn(browser, '203.0.113.3', password)).status, 200)
  }
)

t.test('who holds the cookie of a device guesses no more than others', async (t) => {
  const { email, device } = await newcomer(plane, 'ida')
  const thief = Object.assign(plane.client(email), { device })
  for (let count = 0; count < 10; count++) {
    t.equal((await signIn(thief, `198.51.100.${count}`, 'a guess')).status, 401)
  }
  t.equal((await signIn(thief, '198.51.100.99', 'a guess')).status, 429)
})

// The last one: the clocks of other processes would not know that this one was moved.
t.test('the 11th failure from one place is not judged, for 15 minutes', async (t) => {
  const bea = await newcomer(plane, 'bea')
  for (let count = 0; count < 10; count++) t.equal((await guess(bea, '2001:db8::1')).status, 401)
  const refused = await signIn(browserOf(bea), '2001:db8::2')
  t.match(refused, { status: 429, code: 'rate_limited' }, 'the right password from the same /64')
  const seconds = Number(refused.answer.headers.get('retry-after'))
  t.ok(seconds > 600 && seconds <= 900, String(seconds))
  plane.advance(15 * 60_000)
  t.equal((await signIn(browserOf(bea), '2001:db8::2')).status, 200)
})
