// Nobody reaches what is another org's, by any route: the route table itself is walked, so a new route is tested by being
// there. A stranger gets 404, as if the object did not exist, whatever the method and however valid the body.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'
import { bodies, fill, operationsOf } from './support/routes.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())

const owner = await member(plane, 'owner')
const stranger = await member(plane, 'stranger')
const theOperator = await operator(plane)
const endpoint = await endpointOf(plane, owner)
const { body: chain } = await theOperator.get('/v1/chains/demo')
const { body: upstream } = await theOperator.post('/v1/chains/demo/upstreams', {
  name: 'node',
  url: 'https://node.example.com/secret'
})

const operations = operationsOf(plane)
const places = {
  org: owner.orgId,
  endpoint: endpoint.id,
  key: endpoint.keys[0].id,
  chain: chain.id,
  upstream: upstream.id,
  change: String(endpoint.change_id)
}
const ofAnOrg = operations.filter(({ path }) => /\{(org|change)\}/.test(path))

t.test('there are routes to walk', async (t) => {
  t.ok(ofAnOrg.length >= 10)
  t.equal(new Set(operations.map(({ id }) => id)).size, operations.length)
})

for (const { id, method, path } of ofAnOrg) {
  t.test(`${method} ${path}: a stranger gets 404`, async (t) => {
    const before = await owner.get(endpoint.path)
    const answer = await stranger.send(method, fill(path, places), bodies[id])
    t.equal(answer.status, 404)
    t.equal(answer.body.code, 'not_found')
    t.same((await owner.get(endpoint.path)).body, before.body, 'and nothing has changed')
  })
}

for (const { id, method, path } of ofAnOrg.filter(({ path }) => path.includes('{endpoint}'))) {
  t.test(`${method} ${path}: another org's endpoint is not in one's own org`, async (t) => {
    const mixed = fill(path, { ...places, org: stranger.orgId })
    t.equal((await stranger.send(method, mixed, bodies[id])).status, 404)
  })
}

for (const { id, method, path, isPublic } of operations.filter(({ path }) =>
  path.startsWith('/v1/')
)) {
  if (isPublic) continue
  t.test(`${method} ${path}: without a token nobody gets in`, async (t) => {
    const answer = await plane.client().send(method, fill(path, places), bodies[id])
    t.equal(answer.status, 401)
    t.equal(answer.body.code, 'authentication_required')
    t.match(answer.headers.get('www-authenticate'), /^Bearer/)
  })
}

for (const { path } of operations.filter(({ method, isPublic }) => method === 'GET' && !isPublic)) {
  t.test(`HEAD ${path}: is no way around`, async (t) => {
    t.equal((await plane.client().send('HEAD', fill(path, places))).status, 401)
    const status = (await stranger.send('HEAD', fill(path, places))).status
    const right = path === '/v1/audit-log' ? 403 : 200
    t.equal(status, /\{(org|change)\}/.test(path) ? 404 : right)
  })
}

t.test('only these routes are public', async (t) => {
  t.same(
    operations
      .filter(({ isPublic }) => isPublic)
      .map(({ path }) => path)
      .sort(),
    [
      '/v1/auth/forgot-password',
      '/v1/auth/login',
      '/v1/auth/logout',
      '/v1/auth/refresh',
      '/v1/auth/register',
      '/v1/auth/resend-verification',
      '/v1/auth/reset-password',
      '/v1/auth/verify-email'
    ]
  )
})

const changesChains = operations.filter(
  ({ path, method }) => path.startsWith('/v1/chains') && method !== 'GET'
)
for (const { id, method, path } of changesChains) {
  t.test(`${method} ${path}: only the operator may`, async (t) => {
    const answer = await owner.send(method, fill(path, places), bodies[id])
    t.equal(answer.status, 403)
    t.equal(answer.body.code, 'operator_required')
  })
}

t.test('a change of a chain is shown to the operator alone', async (t) => {
  const path = `/v1/changes/${upstream.change_id}`
  t.equal((await theOperator.get(path)).status, 200)
  t.equal((await owner.get(path)).status, 404)
})

t.test('the operator keeps order in every org, but is shown no secret', async (t) => {
  t.equal((await theOperator.get(endpoint.path)).status, 200)
  const reveal = await theOperator.post(`${endpoint.path}/keys/${endpoint.keys[0].id}/reveal`)
  t.equal(reveal.status, 403)
  t.equal(reveal.body.code, 'role_required')
  const forbidden = { status: 403, body: { code: 'role_required' } }
  t.match(await theOperator.post(`${endpoint.path}/rotate`, { overlap_seconds: 60 }), forbidden)
  const endpoints = `/v1/orgs/${owner.orgId}/endpoints`
  t.match(await theOperator.post(endpoints, { name: 'theirs', chain: 'demo' }), forbidden)
  t.equal((await theOperator.patch(endpoint.path, { status: 'paused' })).status, 200)
})

t.test('a route that does not say who may call it does not start', async (t) => {
  t.throws(() => {
    const hook = plane.app as unknown as { get(path: string, handler: () => void): void }
    hook.get('/v1/forgotten', () => undefined)
  })
})
