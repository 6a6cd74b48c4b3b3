// Reveal: a member sees a secret again, and the audit log holds who did; or the operator of the service wants none of it.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'

t.test('reveal shows the secret and writes who saw it', async (t) => {
  const plane = await startControlPlane()
  t.teardown(() => plane.stop())
  const ann = await member(plane, 'ann')
  const endpoint = await endpointOf(plane, ann)
  const [key] = endpoint.keys
  const answer = await ann.post(`${endpoint.path}/keys/${key.id}/reveal`, undefined, {
    'x-request-id': 'reveal-1234'
  })
  t.equal(answer.status, 200)
  t.match(answer.body, { id: key.id, secret: key.secret, status: 'active' })
  t.equal(answer.body.url, `https://rpc.example.com/api=${key.secret}`)
  const [rows] = await plane.database.pool.query(
    "SELECT * FROM audit_log WHERE action = 'key.reveal'"
  )
  const me = (await ann.get('/v1/me')).body
  t.match(rows, [
    {
      org_id: ann.orgId,
      user_id: me.id,
      target_id: key.id,
      ip: '127.0.0.1',
      request_id: /^[0-9a-f]{24}$/,
      detail: /"client_request_id":"reveal-1234"/
    }
  ])
  t.notMatch(JSON.stringify(rows), key.secret)

  await ann.post(`${endpoint.path}/rotate`, { overlap_seconds: 0 })
  const ended = await ann.post(`${endpoint.path}/keys/${key.id}/reveal`)
  t.match(ended, { status: 409, body: { code: 'key_not_active' } })
})

t.test('with KEY_REVEAL off nothing is shown, and nothing is even stored', async (t) => {
  const plane = await startControlPlane({ config: { keyReveal: false } })
  t.teardown(() => plane.stop())
  const ann = await member(plane, 'ann')
  const endpoint = await endpointOf(plane, ann)
  const path = `${endpoint.path}/keys/${endpoint.keys[0].id}/reveal`
  t.match(await ann.post(path), { status: 403, body: { code: 'reveal_disabled' } })
  const [rows] = await plane.database.pool.query('SELECT secret FROM api_keys')
  t.same(rows, [{ secret: null }])

  const later = await startControlPlane({ databaseUrl: plane.config.databaseUrl })
  t.teardown(() => later.stop())
  const again = later.client(ann.email)
  await again.login()
  t.match(await again.post(path), { status: 409, body: { code: 'secret_not_stored' } })
})
