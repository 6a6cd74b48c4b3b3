// Who counts as one client, behind proxies that write what they like.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'

const attempts = 3
const plane = await startControlPlane({
  config: { trustedProxies: ['127.0.0.1', '10.0.0.0/8'], authAttemptsPerMinute: attempts }
})
t.teardown(() => plane.stop())

const guessFrom = async (forwarded: string) =>
  await plane
    .client()
    .post('/v1/auth/login', { email: 'x', password: 'x' }, { 'x-forwarded-for': forwarded })

/** What the audit log keeps of the newest request. */
async function newestAddress(): Promise<string> {
  const [rows] = await plane.database.pool.query(
    'SELECT ip FROM audit_log ORDER BY created_at DESC, id DESC LIMIT 1'
  )
  return (rows as { ip: string }[])[0]?.ip ?? ''
}

t.test('a hop that is no address is not believed, and no fault of ours', async (t) => {
  t.equal((await guessFrom('x'.repeat(200))).status, 401)
  t.equal(await newestAddress(), '127.0.0.1', 'the nearest hop that is one')
})

t.test('a port behind the address makes no other client', async (t) => {
  for (let count = 0; count < attempts; count++) {
    t.equal((await guessFrom(`192.0.2.1:${5000 + count}`)).status, 401)
    t.equal(await newestAddress(), '192.0.2.1')
  }
  t.equal((await guessFrom('192.0.2.1:6000')).status, 429)
})

t.test('a proxy that writes its ports is still a proxy', async (t) => {
  await guessFrom('192.0.2.9:5000, 10.1.2.3:6000')
  t.equal(await newestAddress(), '192.0.2.9')
})

t.test('the addresses of one /64 are one client', async (t) => {
  for (let count = 0; count < attempts; count++) {
    t.equal((await guessFrom(`2001:db8::${count + 1}`)).status, 401)
  }
  t.equal((await guessFrom('2001:db8::ffff')).status, 429)
  t.equal((await guessFrom('2001:db8:0:1::1')).status, 401)
})

t.test('preflights are limited as well', async (t) => {
  const limited = await startControlPlane({
    databaseUrl: plane.config.databaseUrl,
    config: { requestsPerMinute: 5 }
  })
  t.teardown(() => limited.stop())
  const headers = { origin: limited.config.portalOrigin, 'access-control-request-method': 'GET' }
  const ask = async () =>
    (await fetch(`${limited.url}/v1/me`, { method: 'OPTIONS', headers })).status
  for (let count = 0; count < 5; count++) t.equal(await ask(), 204)
  t.equal(await ask(), 429)
  t.equal((await limited.client().get('/v1/me')).status, 401, 'requests are counted apart')
})
