// What browsers are told: which origin may call, what they may keep, and how much is left of the rate.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'

const portalOrigin = 'https://portal.example.com'
const plane = await startControlPlane({ config: { portalOrigin, requestsPerMinute: 5 } })
t.teardown(() => plane.stop())

const preflight = (origin: string) =>
  fetch(`${plane.url}/v1/orgs`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' }
  })

t.test('the portal may call with credentials, other origins may not', async (t) => {
  const allowed = await preflight(portalOrigin)
  t.equal(allowed.status, 204)
  t.equal(allowed.headers.get('access-control-allow-origin'), portalOrigin)
  t.equal(allowed.headers.get('access-control-allow-credentials'), 'true')
  t.match(allowed.headers.get('access-control-allow-headers'), 'Idempotency-Key')
  const refused = await preflight('https://evil.example.com')
  t.not(refused.headers.get('access-control-allow-origin'), 'https://evil.example.com')
})

t.test('a refusal is readable for the portal too', async (t) => {
  const answer = await plane.client().get('/v1/me', { origin: portalOrigin })
  t.equal(answer.status, 401)
  t.equal(answer.headers.get('access-control-allow-origin'), portalOrigin)
})

t.test('the rate is told in the current fields, and the limit is the limit', async (t) => {
  const plane = await startControlPlane({ config: { requestsPerMinute: 5 } })
  t.teardown(() => plane.stop())
  for (let left = 4; left >= 0; left--) {
    const { status, headers } = await plane.client().get('/v1/me')
    t.equal(status, 401)
    t.equal(headers.get('ratelimit-policy'), '"api";q=5;w=60')
    t.match(headers.get('ratelimit'), new RegExp(`^"api";r=${left};t=\\d+$`))
    t.equal(headers.get('x-ratelimit-limit'), null)
  }
  const refused = await plane.client().get('/v1/me')
  t.equal(refused.status, 429)
  t.match(refused.headers.get('ratelimit'), /^"api";r=0;t=\d+$/)
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  t.equal((await plane.client().get('/nowhere')).status, 429, 'what is not there is counted too')
})

t.test('only a trusted proxy says who the client is', async (t) => {
  const count = async (trustedProxies: string[]) => {
    const plane = await startControlPlane({ config: { requestsPerMinute: 1, trustedProxies } })
    const ask = (from: string) => plane.client().get('/v1/me', { 'x-forwarded-for': from })
    const statuses = [(await ask('203.0.113.1')).status, (await ask('203.0.113.2')).status]
    await plane.stop()
    return statuses
  }
  t.same(await count([]), [401, 429], 'one client, whatever it says')
  t.same(await count(['127.0.0.0/8']), [401, 401], 'two clients behind the proxy')
})
