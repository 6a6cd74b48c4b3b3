// Who reads what of the audit log, and what is in it of sign-ins that failed and of acts that were refused.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, mailedToken, member, newcomer, operator } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const theOperator = await operator(plane)
const ann = await member(plane, 'ann')
const orgLog = `/v1/orgs/${ann.orgId}/audit-log`

const actionsOf = ({ body }: { body: { data: { action: string }[] } }) =>
  body.data.map(({ action }) => action)

t.test('the owner and admins of an org read its log, members and strangers do not', async (t) => {
  const { path } = await endpointOf(plane, ann)
  await ann.patch(path, { status: 'paused' })
  t.same(actionsOf(await ann.get(orgLog)).slice(0, 2), ['endpoint.update', 'endpoint.create'])
  const bea = await member(plane, 'bea')
  t.match(await bea.get(orgLog), { status: 404, body: { code: 'not_found' } })
  const join = async (role: string) =>
    await plane.database.pool.query(
      `REPLACE INTO memberships SELECT ?, id, ?, NOW(3) FROM users WHERE email = ?`,
      [ann.orgId, role, bea.email]
    )
  await join('member')
  t.match(await bea.get(orgLog), { status: 403, body: { code: 'role_required' } })
  await join('admin')
  t.equal((await bea.get(orgLog)).status, 200)
})

t.test('an act of the operator is in the log of the org, without where it came from', async (t) => {
  await theOperator.patch(`/v1/orgs/${ann.orgId}`, { daily_quota: 5 })
  const entry = { action: 'org.update', org_id: ann.orgId, detail: { daily_quota: 5 } }
  const { data } = (await ann.get(orgLog)).body
  t.match(data[0], { ...entry, user_email: null, ip: null })
  t.match(data[1], { user_email: ann.email, ip: '127.0.0.1' })
  const seen = (await theOperator.get(orgLog)).body.data[0]
  t.match(seen, { ...entry, user_email: 'operator@example.com', ip: '127.0.0.1' })
})

t.test('a log is read page by page, the newest first, and by action', async (t) => {
  const all = (await ann.get(`${orgLog}?limit=100`)).body.data
  const ids: string[] = []
  let cursor = ''
  do {
    const { body } = await ann.get(`${orgLog}?limit=1${cursor && `&cursor=${cursor}`}`)
    ids.push(...body.data.map(({ id }: { id: string }) => id))
    cursor = body.next_cursor ?? ''
  } while (cursor !== '')
  t.ok(ids.length >= 3)
  t.same(
    ids,
    all.map(({ id }: { id: string }) => id)
  )
  t.same(ids, ids.toSorted().reverse())
  t.same(actionsOf(await ann.get(`${orgLog}?action=org.update`)), ['org.update'])
})

t.test('a user reads what happened to their account, failed sign-ins included', async (t) => {
  const carl = await newcomer(plane, 'carl')
  await plane.client().post('/v1/auth/login', { email: carl.email, password: 'a guess' })
  await plane.client().post('/v1/auth/forgot-password', { email: carl.email })
  const token = await mailedToken(plane, carl.email)
  const reset = { token, password: carl.password }
  await plane.client().post('/v1/auth/reset-password', reset)
  await plane.client().post('/v1/auth/reset-password', reset)
  await carl.login()
  const answer = await carl.get('/v1/me/audit-log')
  t.same(actionsOf(answer).sort(), [
    'session.create',
    'session.create',
    'session.refuse',
    'user.refuse_token',
    'user.register',
    'user.request_reset',
    'user.reset_password',
    'user.verify_email'
  ])
  t.match(
    answer.body.data.find(({ action }: { action: string }) => action === 'session.refuse'),
    {
      org_id: null,
      ip: '127.0.0.1',
      detail: { known_device: false }
    }
  )
  const text = JSON.stringify(answer.body)
  for (const secret of ['a guess', token, carl.password]) t.notMatch(text, secret)
})

t.test('a reused refresh token is in the log of its user', async (t) => {
  const dora = await newcomer(plane, 'dora')
  const { cookie } = dora
  await dora.post('/v1/auth/refresh')
  plane.advance(31_000)
  dora.cookie = cookie
  t.equal((await dora.post('/v1/auth/refresh')).status, 401)
  const again = plane.client(dora.email)
  await again.login()
  t.ok(actionsOf(await again.get('/v1/me/audit-log')).includes('session.reuse_detected'))
})

t.test('an address without an account is told apart, not told', async (t) => {
  const typed = 'my secret pass phrase'
  for (const email of [typed, typed, 'other@example.com']) {
    await plane.client().post('/v1/auth/login', { email, password: 'x' })
  }
  const { body } = await theOperator.get('/v1/audit-log?action=session.refuse&limit=3')
  t.notMatch(JSON.stringify(body), typed)
  const [other, second, first] = body.data.map(
    ({ detail }: { detail: { unknown_account: string } }) => detail.unknown_account
  )
  t.match(first, /^[0-9a-f]{12}$/)
  t.equal(first, second)
  t.not(first, other)
  t.ok(body.data.every((entry: { user_id: unknown }) => entry.user_id === null))
})

t.test('the operator reads all of it, by org, user and action; nobody else does', async (t) => {
  const { id } = (await ann.get('/v1/me')).body
  const ofAnn = (await theOperator.get(`/v1/audit-log?user=${id}&limit=100`)).body.data
  t.ok(ofAnn.length > 3)
  t.ok(ofAnn.every((entry: { user_id: string }) => entry.user_id === id))
  const ofOrg = await theOperator.get(`/v1/audit-log?org=${ann.orgId}&action=endpoint.create`)
  t.same(actionsOf(ofOrg), ['endpoint.create'])
  t.match(await ann.get('/v1/audit-log'), { status: 403, body: { code: 'operator_required' } })
})

t.test(
  'acts of the operator that were refused are written down, once in ten minutes',
  async (t) => {
    const eve = await newcomer(plane, 'eve')
    const { id } = (await eve.get('/v1/me')).body
    for (let count = 0; count < 3; count++) {
      t.equal((await eve.post('/v1/chains', { name: 'x', kind: 'evm' })).status, 403)
    }
    await eve.get('/v1/orgs?scope=all')
    await eve.patch(`/v1/orgs/${eve.orgId}`, { daily_quota: 5 })
    const refusals = async () =>
      (await theOperator.get(`/v1/audit-log?action=operator.refuse&user=${id}`)).body.data.map(
        ({ detail }: { detail: { method: string; route: string } }) =>
          `${detail.method} ${detail.route}`
      )
    const each = ['GET /v1/orgs', 'PATCH /v1/orgs/:org', 'POST /v1/chains']
    t.same((await refusals()).sort(), each)
    plane.advance(10 * 60_000)
    await eve.login()
    await eve.post('/v1/chains', { name: 'x', kind: 'evm' })
    t.equal((await refusals()).length, 4)
  }
)
