// The latest failed calls of an endpoint: enough of them to look into, none of them anybody else's.
import t from 'tap'
import { newId } from '../../drizzle/ids.ts'
import { callErrors } from '../../drizzle/schema/usage.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)
const other = await endpointOf(plane, ann, { name: 'other' })
const now = plane.clock().getTime()
const hourMs = 3_600_000

function failedAt(at: number, rest: Partial<typeof callErrors.$inferInsert> = {}) {
  return {
    id: newId('err', at),
    orgId: ann.orgId,
    endpointId: endpoint.id,
    keyId: endpoint.keys[0].id,
    occurredAt: new Date(at),
    method: 'eth_call',
    code: -32_603,
    reason: 'upstream_timeout',
    status: 504,
    durationMs: 10_000,
    upstreamId: 'ups_one',
    requestId: `request-${now - at}`,
    params: '[{"to":"0x00"},"latest"]',
    ...rest
  }
}

t.test('an endpoint without failures has an empty list', async (t) => {
  t.same((await ann.get(`${endpoint.path}/errors`)).body, { data: [] })
})

t.test('what failed is told in full, the latest first', async (t) => {
  const latest = failedAt(now - 1000)
  const before = failedAt(now - 2000, {
    code: null,
    params: null,
    upstreamId: null,
    reason: 'overloaded',
    status: 503
  })
  const rows = [
    before,
    latest,
    failedAt(now - 73 * hourMs),
    failedAt(now, { endpointId: other.id })
  ]
  await plane.database.orm.insert(callErrors).values(rows)
  const { body } = await ann.get(`${endpoint.path}/errors`)
  t.same(body.data, [
    {
      id: latest.id,
      occurred_at: latest.occurredAt.toISOString(),
      method: 'eth_call',
      code: -32_603,
      reason: 'upstream_timeout',
      status: 504,
      duration_ms: 10_000,
      upstream: 'ups_one',
      request_id: 'request-1000',
      key: endpoint.keys[0].id,
      params: '[{"to":"0x00"},"latest"]'
    },
    {
      id: before.id,
      occurred_at: before.occurredAt.toISOString(),
      method: 'eth_call',
      code: null,
      reason: 'overloaded',
      status: 503,
      duration_ms: 10_000,
      upstream: null,
      request_id: 'request-2000',
      key: endpoint.keys[0].id,
      params: null
    }
  ])
})

t.test('there are a hundred at most', async (t) => {
  const rows = Array.from({ length: 150 }, (_, place) => failedAt(now - hourMs - place))
  await plane.database.orm.insert(callErrors).values(rows)
  const { body } = await ann.get(`${endpoint.path}/errors`)
  t.equal(body.data.length, 100)
  const times = body.data.map((row: { occurred_at: string }) => row.occurred_at)
  t.same(times, times.toSorted().reverse())
  t.equal(body.data[2].request_id, `request-${hourMs}`)
})

t.test('every role may look, the operator too, and a stranger finds nothing', async (t) => {
  const bob = await member(plane, 'bob')
  t.equal((await bob.get(`${endpoint.path}/errors`)).status, 404)
  for (const role of ['member', 'admin']) {
    await plane.database.pool.query(
      `REPLACE INTO memberships SELECT ?, user_id, ?, NOW(3) FROM memberships WHERE org_id = ?`,
      [ann.orgId, role, bob.orgId]
    )
    for (const path of ['errors', 'usage', 'usage/summary']) {
      t.equal((await bob.get(`${endpoint.path}/${path}`)).status, 200, `${role}: ${path}`)
    }
  }
  const theOperator = await operator(plane)
  t.equal((await theOperator.get(`${endpoint.path}/errors`)).status, 200)
})

t.test('failures of a deleted endpoint stay readable', async (t) => {
  await ann.delete(other.path)
  t.equal((await ann.get(`${other.path}/errors`)).body.data.length, 1)
})
