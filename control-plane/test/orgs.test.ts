// Orgs: created, listed, renamed by who may, and limited by the operator alone.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { member, operator } from './support/people.ts'

const plane = await startControlPlane({ config: { orgsPerUserMax: 3 } })
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const theOperator = await operator(plane)
const path = `/v1/orgs/${ann.orgId}`

t.test('create, read, rename', async (t) => {
  const created = await ann.post('/v1/orgs', { name: 'Zweite & Söhne 🚀' })
  t.equal(created.status, 201)
  t.match(created.body, { name: 'Zweite & Söhne 🚀', role: 'owner', requests_per_second: null })
  const renamed = await ann.patch(`/v1/orgs/${created.body.id}`, { name: 'Dritte' })
  t.equal(renamed.status, 200)
  t.equal(renamed.body.name, 'Dritte')
  t.type(renamed.body.change_id, 'number')
  t.equal((await ann.get(`/v1/orgs/${created.body.id}`)).body.name, 'Dritte')
})

t.test('only the operator sets limits, and sees every org', async (t) => {
  const refused = await ann.patch(path, { requests_per_second: 10 })
  t.match(refused, { status: 403, body: { code: 'operator_required' } })
  const limited = await theOperator.patch(path, { requests_per_second: 10, daily_quota: 1000 })
  t.match(limited, {
    status: 200,
    body: { requests_per_second: 10, burst: 10, daily_quota: 1000, role: null }
  })
  const { body } = await theOperator.get('/v1/orgs?scope=all&limit=100')
  t.ok(body.data.some((org: { id: string }) => org.id === ann.orgId))
  t.equal((await ann.get('/v1/orgs?scope=all')).status, 403)
})

t.test('an admin renames, a member does not', async (t) => {
  const bob = await member(plane, 'bob')
  const { body: me } = await bob.get('/v1/me')
  const join = (role: string) =>
    plane.database.pool.query(
      'INSERT INTO memberships (org_id, user_id, role, created_at) VALUES (?, ?, ?, NOW(3)) ON DUPLICATE KEY UPDATE role = ?',
      [ann.orgId, me.id, role, role]
    )
  await join('member')
  t.match(await bob.patch(path, { name: 'x' }), { status: 403, body: { code: 'role_required' } })
  t.equal((await bob.get(path)).body.role, 'member')
  await join('admin')
  t.equal((await bob.patch(path, { name: 'x' })).status, 200)
})

t.test('a user owns a limited number of orgs, also when asked for all at once', async (t) => {
  const eve = await member(plane, 'eve')
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, index) => eve.post('/v1/orgs', { name: `org ${index}` }))
  )
  t.equal(answers.filter(({ status }) => status === 201).length, 2)
  t.ok(
    answers
      .filter(({ status }) => status === 409)
      .every(({ body }) => body.code === 'limit_reached')
  )
  t.equal((await eve.get('/v1/orgs')).body.data.length, 3)
})
