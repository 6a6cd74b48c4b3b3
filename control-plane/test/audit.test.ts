// Every act that changes something leaves an entry in the audit log: the route table is walked, so no act is forgotten.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, mailedToken, member, newcomer, operator } from './support/people.ts'
import { bodies, fill, operationsOf } from './support/routes.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const theOperator = await operator(plane)

async function newestEntry(): Promise<Record<string, unknown> | undefined> {
  const [rows] = await plane.database.pool.query(
    'SELECT * FROM audit_log ORDER BY created_at DESC, id DESC LIMIT 1'
  )
  return (rows as Record<string, unknown>[])[0]
}

/** What each act is called; a mailed token is asked for, not spent, so it is no act. */
const acts: Readonly<Record<string, string | null>> = {
  register: 'user.register',
  login: 'session.create',
  refresh: null,
  logout: 'session.end',
  verifyEmail: 'user.verify_email',
  resendVerification: null,
  forgotPassword: null,
  resetPassword: 'user.reset_password',
  updateMe: 'user.update',
  createOrg: 'org.create',
  updateOrg: 'org.update',
  suspendOrg: 'org.suspend',
  resumeOrg: 'org.resume',
  createEndpoint: 'endpoint.create',
  updateEndpoint: 'endpoint.update',
  deleteEndpoint: 'endpoint.delete',
  rotateKey: 'key.rotate',
  revokeKey: 'key.revoke',
  revealKey: 'key.reveal',
  createChain: 'chain.create',
  updateChain: 'chain.update',
  deleteChain: 'chain.delete',
  createUpstream: 'upstream.create',
  updateUpstream: 'upstream.update',
  deleteUpstream: 'upstream.delete'
}

const mutating = operationsOf(plane).filter(({ method }) => method !== 'GET')

t.test('every mutating route is known here', async (t) => {
  t.same(mutating.map(({ id }) => id).sort(), Object.keys(acts).sort())
})

for (const { id, method, path, isPublic } of mutating.filter(({ isPublic }) => !isPublic)) {
  t.test(`${id} is written down: who, what, where from`, async (t) => {
    const endpoint = await endpointOf(plane, ann)
    const chain = await theOperator.post('/v1/chains', {
      name: `chain-${id.toLowerCase()}`,
      kind: 'rest',
      upstreams: [{ name: 'node', url: 'https://node.example.com' }]
    })
    const places = {
      org: ann.orgId,
      endpoint: endpoint.id,
      key: endpoint.keys[0].id,
      chain: chain.body.id,
      upstream: chain.body.upstreams[0].id
    }
    const isOperators = path.startsWith('/v1/chains') || /\/(suspend|resume)$/.test(path)
    const client = isOperators ? theOperator : ann
    plane.advance(1000)
    const answer = await client.send(method, fill(path, places), bodies[id], {
      'x-request-id': `audit-${id}`
    })
    t.ok(answer.status < 300, JSON.stringify(answer.body))
    t.match(await newestEntry(), {
      action: acts[id],
      user_id: (await client.get('/v1/me')).body.id,
      request_id: /^[0-9a-f]{24}$/,
      detail: new RegExp(`"client_request_id":"audit-${id}"`),
      ip: '127.0.0.1'
    })
    t.notOk(isPublic)
    // Or nobody could do the acts that are still to come.
    await theOperator.post(`/v1/orgs/${ann.orgId}/resume`)
  })
}

t.test('what people do about their own account is written down too', async (t) => {
  const bob = await newcomer(plane, 'bob')
  t.match(await newestEntry(), { action: 'session.create' })
  plane.advance(1000)
  await bob.post('/v1/auth/verify-email', { token: await mailedToken(plane, bob.email) })
  t.match(await newestEntry(), { action: 'user.verify_email' })
  plane.advance(1000)
  await bob.post('/v1/auth/logout')
  t.match(await newestEntry(), { action: 'session.end' })
  plane.advance(1000)
  await bob.post('/v1/auth/forgot-password', { email: bob.email })
  const token = await mailedToken(plane, bob.email)
  await bob.post('/v1/auth/reset-password', { token, password: bob.password })
  t.match(await newestEntry(), { action: 'user.reset_password' })
  const [rows] = await plane.database.pool.query(
    "SELECT * FROM audit_log WHERE action = 'user.register' AND request_id <> ''"
  )
  t.equal((rows as unknown[]).length, 2)
})
