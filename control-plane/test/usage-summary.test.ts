// The figures at a glance, on a day that is the same for every run: each period beside the one before, quotas with the time
// at which they begin again, and who was called most.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'
import { recordCalls } from './support/usage.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
// The clock runs on from there; nothing here is nearer to a bound than five minutes.
plane.advance(Date.parse('2050-03-15T12:30:05Z') - plane.clock().getTime())
const ann = await member(plane, 'ann')
const first = await endpointOf(plane, ann, { daily_quota: 1000 })
const second = await endpointOf(plane, ann, { name: 'second' })
const { body: chain } = await ann.get('/v1/chains/demo')
const orgPath = `/v1/orgs/${ann.orgId}`

const calls = (at: string, ok: number, rest: object = {}) => ({
  orgId: ann.orgId,
  endpointId: first.id,
  chainId: chain.id,
  keyId: first.keys[0].id,
  at: new Date(at),
  ok,
  ...rest
})
const ofSecond = { endpointId: second.id, keyId: second.keys[0].id, method: 'eth_getLogs' }

await recordCalls(plane.database, [
  calls('2050-03-15T11:00:00Z', 6, {
    upstreamError: 2,
    rateLimited: 1,
    clientError: 1,
    costEach: 3
  }),
  calls('2050-03-14T12:10:00Z', 5, { rpcErrors: 2 }),
  calls('2050-03-14T12:45:00Z', 100, ofSecond),
  calls('2050-03-10T10:00:00Z', 20),
  calls('2050-03-05T10:00:00Z', 40, ofSecond),
  calls('2050-02-20T10:00:00Z', 7),
  calls('2050-02-05T10:00:00Z', 9),
  calls('2050-01-20T10:00:00Z', 1000)
])

t.test('four periods, each beside the one before', async (t) => {
  const { body } = await ann.get(`${orgPath}/usage/summary`)
  const seen = Object.fromEntries(
    ['today', 'last_7_days', 'last_30_days', 'month_to_date'].map((name) => [
      name,
      [body[name].current.calls, body[name].before.calls]
    ])
  )
  t.same(seen, {
    today: [10, 5],
    last_7_days: [10 + 5 + 100 + 20, 40],
    last_30_days: [10 + 5 + 100 + 20 + 40 + 7, 9 + 1000],
    month_to_date: [10 + 5 + 100 + 20 + 40, 9]
  })
  t.same(
    ['today', 'month_to_date'].map((name) => [body[name].current.from, body[name].before.from]),
    [
      ['2050-03-15T00:00:00.000Z', '2050-03-14T00:00:00.000Z'],
      ['2050-03-01T00:00:00.000Z', '2050-02-01T00:00:00.000Z']
    ]
  )
  t.match(body.last_7_days.before, {
    from: '2050-03-01T13:00:00.000Z',
    to: '2050-03-08T13:00:00.000Z'
  })
})

t.test('a period has all figures, and its change', async (t) => {
  const { today } = (await ann.get(`${first.path}/usage/summary`)).body
  t.match(today.current, {
    calls: 10,
    cost: 30,
    success_ratio: 0.6,
    client_error: 1,
    rate_limited: 1,
    upstream_error: 2,
    rpc_errors: 0
  })
  t.match(today.before, { calls: 5, cost: 5, success_ratio: 1, rpc_errors: 2 })
  t.same(today.change, { calls: 1, cost: 5, success_ratio: 0.6 - 1 })
})

t.test('an endpoint has its own calls alone, and one without calls has no ratios', async (t) => {
  const { body } = await ann.get(`${second.path}/usage/summary`)
  t.equal(body.last_30_days.current.calls, 140)
  t.same(body.today.change, { calls: null, cost: null, success_ratio: null })
  t.match(body.today.current, { calls: 0, success_ratio: null })
  t.notOk('top_endpoints' in body)
})

t.test('who was called most in seven days, the most called first', async (t) => {
  const { body } = await ann.get(`${orgPath}/usage/summary`)
  t.same(body.top_methods, [
    { method: 'eth_getLogs', calls: 100, cost: 100 },
    { method: 'eth_call', calls: 35, cost: 55 }
  ])
  t.same(body.top_endpoints, [
    { endpoint: second.id, calls: 100, cost: 100 },
    { endpoint: first.id, calls: 35, cost: 55 }
  ])
})

t.test(
  'a quota is told with what every gateway has counted, and when it begins again',
  async (t) => {
    const resetsAt = '2050-03-16T00:00:00.000Z'
    const summary = async () => (await ann.get(`${first.path}/usage/summary`)).body
    t.match(await summary(), {
      org_quota: null,
      endpoint_quota: { limit: 1000, used: 0, resets_at: resetsAt }
    })
    await (await operator(plane)).patch(orgPath, { daily_quota: 5000 })
    const rows = [
      [first.id, '2050-03-15', 'boot_a', 30],
      [first.id, '2050-03-15', 'boot_b', 12],
      [first.id, '2050-03-14', 'boot_a', 999],
      [ann.orgId, '2050-03-15', 'boot_a', 77]
    ]
    for (const row of rows) {
      await plane.database.pool.query('INSERT INTO quota_usage VALUES (?, ?, ?, ?)', row)
    }
    t.match(await summary(), {
      org_quota: { limit: 5000, used: 77, resets_at: resetsAt },
      endpoint_quota: { limit: 1000, used: 42, resets_at: resetsAt }
    })
    const { body } = await ann.get(`${orgPath}/usage/summary`)
    t.same(body.org_quota, { limit: 5000, used: 77, resets_at: resetsAt })
  }
)
