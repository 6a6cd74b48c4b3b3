// An org begins with limits, has owners whom the operator can reach, and can be suspended and resumed by them.
import t from 'tap'
import { readConfig } from '../config.ts'
import { jwtSecret, secretKey, startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'

const environment = {
  DATABASE_URL: 'mysql://u:p@127.0.0.1/x',
  SECRET_KEY: secretKey,
  JWT_SECRET: jwtSecret,
  PUBLIC_RPC_URL: 'https://rpc.example.com'
}
const plane = await startControlPlane({ config: { orgLimits: readConfig(environment).orgLimits } })
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const theOperator = await operator(plane)
const endpoint = await endpointOf(plane, ann)
const org = `/v1/orgs/${ann.orgId}`

t.test('a new org has the limits of the configuration, whichever way it was made', async (t) => {
  const limits = { requests_per_second: 100, burst: 200, daily_quota: 1_000_000 }
  t.match((await ann.get(org)).body, limits, 'by registering')
  t.match((await ann.post('/v1/orgs', { name: 'Second' })).body, limits, 'by creating')
})

t.test('a limit of new orgs is a number within bounds, or said to be unlimited', async (t) => {
  const orgLimitsOf = (env: Record<string, string>) =>
    readConfig({ ...environment, ...env }).orgLimits
  t.same(
    orgLimitsOf({
      ORG_DEFAULT_REQUESTS_PER_SECOND: 'unlimited',
      ORG_DEFAULT_DAILY_QUOTA: 'unlimited'
    }),
    { requestsPerSecond: null, burst: null, dailyQuota: null }
  )
  t.match(orgLimitsOf({ ORG_DEFAULT_BURST: 'unlimited' }), { requestsPerSecond: 100, burst: 100 })
  for (const wrong of ['0', '-1', 'none', '1.5', '1000001', 'null']) {
    t.throws(() => orgLimitsOf({ ORG_DEFAULT_REQUESTS_PER_SECOND: wrong }), {
      message: /ORG_DEFAULT_REQUESTS_PER_SECOND is not valid[\s\S]*or unlimited/
    })
  }
})

t.test('the operator sees who owns an org, its members do not', async (t) => {
  const owners = [{ email: ann.email }]
  t.match((await theOperator.get(org)).body, { owners })
  const { body } = await theOperator.get('/v1/orgs?scope=all&limit=100')
  t.match(
    body.data.find(({ id }: { id: string }) => id === ann.orgId),
    { owners, status: 'active' }
  )
  t.equal((await ann.get(org)).body.owners, null)
})

t.test('only the operator suspends and resumes', async (t) => {
  for (const act of ['suspend', 'resume']) {
    t.match(await ann.post(`${org}/${act}`), { status: 403, body: { code: 'operator_required' } })
  }
  t.equal((await theOperator.post('/v1/orgs/org_nope/suspend')).status, 404)
})

t.test('members of a suspended org read on, and change nothing until it is resumed', async (t) => {
  const suspended = await theOperator.post(`${org}/suspend`)
  t.match(suspended, { status: 200, body: { status: 'suspended' } })
  t.type(suspended.body.change_id, 'number')
  const refused = { status: 403, body: { code: 'org_suspended' } }
  const [key] = endpoint.keys
  t.match(await ann.patch(endpoint.path, { name: 'x' }), refused)
  t.match(await ann.post(`${endpoint.path}/rotate`, { overlap_seconds: 0 }), refused)
  t.match(await ann.post(`${endpoint.path}/keys/${key.id}/reveal`), refused)
  t.match(await ann.post(`${org}/endpoints`, { name: 'x', chain: 'demo' }), refused)
  t.match(await ann.patch(org, { name: 'x' }), refused)
  for (const path of [org, endpoint.path, `${org}/usage`])
    t.equal((await ann.get(path)).status, 200)
  t.equal((await theOperator.patch(org, { daily_quota: 5 })).status, 200, 'the operator may')

  t.match(await theOperator.post(`${org}/resume`), { status: 200, body: { status: 'active' } })
  t.equal((await ann.patch(endpoint.path, { name: 'x' })).status, 200)
  const [rows] = await plane.database.pool.query(
    "SELECT action FROM audit_log WHERE org_id = ? AND action IN ('org.suspend', 'org.resume') ORDER BY id",
    [ann.orgId]
  )
  t.same(rows, [{ action: 'org.suspend' }, { action: 'org.resume' }])
})
