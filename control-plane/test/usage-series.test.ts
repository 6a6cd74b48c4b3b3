// Usage over time: every call once, in its step, told apart as asked, and what is not told apart is not lost.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'
import { type Called, recordCalls } from './support/usage.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const first = await endpointOf(plane, ann)
const second = await endpointOf(plane, ann, { name: 'second' })
const { body: chain } = await ann.get('/v1/chains/demo')
const orgPath = `/v1/orgs/${ann.orgId}`

const minuteMs = 60_000
const now = plane.clock().getTime()
const minute = Math.floor(now / minuteMs) * minuteMs - 2 * minuteMs
const ago = (minutes: number) => new Date(minute - minutes * minuteMs)

const placeOf = (endpoint: typeof first): Omit<Called, 'at'> => ({
  orgId: ann.orgId,
  endpointId: endpoint.id,
  chainId: chain.id,
  keyId: endpoint.keys[0].id
})
const all: Called[] = [
  { ...placeOf(first), at: ago(0), ok: 10, costEach: 2, latenciesMs: Array(10).fill(3) },
  { ...placeOf(first), at: ago(0), method: 'eth_getLogs', ok: 3, upstreamError: 1, rpcErrors: 2 },
  { ...placeOf(first), at: ago(1), clientError: 5 },
  { ...placeOf(second), at: ago(1), ok: 7, rateLimited: 4 },
  { ...placeOf(second), at: ago(90), method: 'eth_chainId', ok: 100 }
]
await recordCalls(plane.database, all)

type Point = Record<string, unknown> & { calls: number; t: string }
async function ask(path: string): Promise<Point[]> {
  const { status, body } = await ann.get(path)
  t.equal(status, 200, JSON.stringify(body))
  return body.data
}
const total = (points: Point[]) => points.reduce((sum, { calls }) => sum + calls, 0)
const called = (points: Point[]) => points.filter(({ calls }) => calls > 0)

t.test('unless told, the last 24 hours by the minute, without a gap', async (t) => {
  const { body } = await ann.get(`${orgPath}/usage`)
  t.equal(body.step, '1m')
  t.ok(body.data.length >= 1440 && body.data.length <= 1441)
  t.equal(Date.parse(body.to) - Date.parse(body.from), body.data.length * minuteMs)
  const starts = body.data.map((point: Point) => Date.parse(point.t))
  t.equal(starts[0], Date.parse(body.from))
  t.ok(
    starts.every((at: number, place: number) => at === starts[0] + place * minuteMs),
    'each minute once, in order'
  )
  t.equal(total(body.data), 130)
})

t.test('a step has all figures of its calls', async (t) => {
  const [point] = called(await ask(`${first.path}/usage`)).slice(-1)
  t.same(point, {
    t: ago(0).toISOString(),
    calls: 14,
    cost: 24,
    ok: 13,
    client_error: 0,
    rate_limited: 0,
    upstream_error: 1,
    rpc_errors: 2,
    bytes_in: 1400,
    bytes_out: 14_000,
    // Ten calls of 3 ms: somewhere in the bucket from 2.8 to 4 ms.
    p50_ms: 3.4,
    p95_ms: 3.94,
    p99_ms: 3.988
  })
})

t.test('a step without calls is zero, and its percentiles are unknown', async (t) => {
  const [point] = await ask(`${first.path}/usage`)
  t.match(point, { calls: 0, cost: 0, ok: 0, p50_ms: null, p95_ms: null, p99_ms: null })
})

t.test('hours and days add up to the same as minutes', async (t) => {
  const from = new Date(now - 20 * 3_600_000).toISOString()
  for (const step of ['1m', '1h', '1d']) {
    t.equal(total(await ask(`${orgPath}/usage?step=${step}&from=${from}`)), 130, step)
  }
})

const groupings: [string, string, Record<string, number>][] = [
  [
    'an org by endpoint',
    `${orgPath}/usage?group_by=endpoint`,
    { [first.id]: 19, [second.id]: 111 }
  ],
  [
    'an org by key',
    `${orgPath}/usage?group_by=key`,
    { [first.keys[0].id]: 19, [second.keys[0].id]: 111 }
  ],
  [
    'an org by method',
    `${orgPath}/usage?group_by=method`,
    { eth_call: 26, eth_getLogs: 4, eth_chainId: 100 }
  ],
  ['an org by chain', `${orgPath}/usage?group_by=chain`, { demo: 130 }],
  [
    'an org by outcome',
    `${orgPath}/usage?group_by=outcome`,
    { ok: 120, client_error: 5, rate_limited: 4, upstream_error: 1 }
  ],
  [
    'an endpoint by method',
    `${first.path}/usage?group_by=method`,
    { eth_call: 15, eth_getLogs: 4 }
  ],
  ['an endpoint by key', `${second.path}/usage?group_by=key`, { [second.keys[0].id]: 111 }],
  ['an endpoint by chain', `${second.path}/usage?group_by=chain`, { demo: 111 }],
  [
    'an endpoint of an org by method',
    `${orgPath}/usage?group_by=method&endpoint=${first.id}`,
    { eth_call: 15, eth_getLogs: 4 }
  ],
  [
    'a method by endpoint',
    `${orgPath}/usage?group_by=endpoint&method=eth_call`,
    { [first.id]: 15, [second.id]: 11 }
  ],
  [
    'a key by method',
    `${orgPath}/usage?group_by=method&key=${second.keys[0].id}`,
    { eth_call: 11, eth_chainId: 100 }
  ],
  [
    'one outcome by method',
    `${orgPath}/usage?group_by=method&outcome=upstream_error`,
    { eth_getLogs: 1 }
  ],
  [
    'only the most called, and the rest',
    `${orgPath}/usage?group_by=method&groups=1`,
    { eth_chainId: 100, _other: 30 }
  ],
  [
    'only the most called endpoint, and the rest',
    `${orgPath}/usage?group_by=endpoint&groups=1`,
    { [second.id]: 111, _other: 19 }
  ],
  [
    'only the most called key, and the rest, of one method',
    `${orgPath}/usage?group_by=key&groups=1&method=eth_call`,
    { [first.keys[0].id]: 15, _other: 11 }
  ]
]

for (const [title, path, expected] of groupings) {
  t.test(`${title}: each group has its calls`, async (t) => {
    const groupBy = /group_by=(\w+)/.exec(path)?.[1] ?? ''
    const found: Record<string, number> = {}
    for (const point of await ask(path)) {
      const group = String(point[groupBy])
      found[group] = (found[group] ?? 0) + point.calls
      t.ok(point.calls > 0, 'no rows of nothing')
    }
    t.same(found, expected)
  })
}

t.test('filters leave out what they do not name', async (t) => {
  const sums: [string, number][] = [
    [`endpoint=${first.id}`, 19],
    [`key=${second.keys[0].id}`, 111],
    ['method=eth_call', 26],
    ['method=eth_nothing', 0],
    ['chain=demo', 130],
    [`chain=${chain.id}&method=eth_chainId`, 100],
    [`endpoint=${first.id}&method=eth_call`, 15],
    [`endpoint=${first.id}&outcome=client_error`, 5],
    ['outcome=rate_limited', 4]
  ]
  for (const [filter, calls] of sums) {
    t.equal(total(await ask(`${orgPath}/usage?${filter}`)), calls, filter)
  }
})

t.test('what is not counted by outcome is unknown there, never a guess', async (t) => {
  const [point] = called(await ask(`${orgPath}/usage?outcome=rate_limited`))
  t.match(point, {
    calls: 4,
    ok: 0,
    rate_limited: 4,
    cost: null,
    rpc_errors: null,
    bytes_in: null,
    p50_ms: null
  })
})

t.test('a chain that another id names, or nothing, is not found', async (t) => {
  for (const filter of ['chain=nope', 'endpoint=ep_nope', 'key=key_nope']) {
    t.equal((await ann.get(`${orgPath}/usage?${filter}`)).status, 404, filter)
  }
  const other = await ann.get(`${first.path}/usage?key=${second.keys[0].id}`)
  t.equal(other.status, 404, "another endpoint's key")
})

t.test("another org's endpoint and key are not found as filters", async (t) => {
  const bob = await member(plane, 'bob')
  for (const filter of [`endpoint=${first.id}`, `key=${first.keys[0].id}`]) {
    t.equal((await bob.get(`/v1/orgs/${bob.orgId}/usage?${filter}`)).status, 404, filter)
  }
})

t.test('the usage of an endpoint that was deleted stays readable', async (t) => {
  await ann.delete(second.path)
  t.equal((await ann.get(second.path)).status, 404)
  t.equal(total(await ask(`${second.path}/usage`)), 111)
  t.equal(total(await ask(`${orgPath}/usage`)), 130)
})
