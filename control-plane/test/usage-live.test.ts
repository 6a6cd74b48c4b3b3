// The live feed: what is counted is told once, within seconds, for as long as the reader may know it.
import t from 'tap'
import { newId } from '../../drizzle/ids.ts'
import { startControlPlane } from './support/control-plane.ts'
import { watchLive } from './support/live-reader.ts'
import { endpointOf, member } from './support/people.ts'
import { type Called, recordCalls } from './support/usage.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const { database } = plane

const callsTo = async (endpoint: { id: string; chain: string; keys: { id: string }[] }) => {
  const { body: chain } = await ann.get(`/v1/chains/${endpoint.chain}`)
  const place = {
    orgId: ann.orgId,
    endpointId: endpoint.id,
    chainId: chain.id,
    keyId: endpoint.keys[0]?.id ?? ''
  }
  return (calls: Partial<Called>): Called => ({ ...place, at: plane.clock(), ...calls })
}

t.test('the first request ever is told, and what was added is told once', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const calls = await callsTo(endpoint)
  const reader = await watchLive(ann, endpoint.path)
  const { headers } = reader.response
  t.match(headers['content-type'], /^text\/event-stream/)
  t.equal(headers['cache-control'], 'no-store')
  t.ok(headers['x-request-id'])
  await reader.until(() => reader.named('usage').length >= 2)
  t.same(reader.named('first_request'), [], 'it waits')
  t.equal(reader.added('calls'), 0)

  const at = plane.clock()
  await recordCalls(database, [
    calls({ at, ok: 5, costEach: 2 }),
    calls({ at, method: 'eth_getLogs', upstreamError: 1, rpcErrors: 1, rateLimited: 3 })
  ])
  await reader.until(() => reader.added('calls') >= 9)
  const names = reader.events.map(({ name }) => name)
  const told = reader.events.findIndex(({ name, data }) => name === 'usage' && data.added.calls > 0)
  t.ok(names.indexOf('first_request') < told, 'before the figures')
  t.same(reader.named('first_request'), [
    { name: 'first_request', data: { day: at.toISOString().slice(0, 10) } }
  ])
  await recordCalls(database, [calls({ at, ok: 1 })])
  await reader.until(() => reader.added('calls') >= 10)
  const figures = ['cost', 'ok', 'client_error', 'rate_limited', 'upstream_error', 'rpc_errors']
  t.same(
    figures.map((figure) => reader.added(figure)),
    [15, 6, 0, 3, 1, 1]
  )
  t.equal(reader.named('first_request').length, 1, 'there is one first request')
  reader.leave()
})

t.test('what was before the stream is not added, and not forgotten', async (t) => {
  const endpoint = await endpointOf(plane, ann, { name: 'second' })
  const calls = await callsTo(endpoint)
  const yesterday = new Date(plane.clock().getTime() - 86_400_000)
  await recordCalls(database, [calls({ at: yesterday, ok: 7 }), calls({ ok: 5 })])
  const reader = await watchLive(ann, endpoint.path)
  await reader.until(() => reader.events.length > 0)
  t.same(
    reader.events[0],
    { name: 'first_request', data: { day: yesterday.toISOString().slice(0, 10) } },
    'at once'
  )
  await reader.until(() => reader.named('usage').length >= 2)
  t.equal(reader.added('calls'), 0)

  // Counts that a gateway could not hand in for a while still are of the day in which they were counted.
  await recordCalls(database, [calls({ at: yesterday, ok: 4 })])
  await reader.until(() => reader.added('calls') >= 4)
  t.equal(reader.added('calls'), 4)
  reader.leave()
})

t.test('the minute that runs and the one before are told in full', async (t) => {
  const endpoint = await endpointOf(plane, ann, { name: 'third' })
  const calls = await callsTo(endpoint)
  const at = plane.clock()
  await recordCalls(database, [
    calls({ at: new Date(at.getTime() - 120_000), ok: 100 }),
    calls({ at, ok: 5, clientError: 2 })
  ])
  const reader = await watchLive(ann, endpoint.path)
  await reader.until(() => reader.named('usage').length >= 1)
  const data: { at: string; minutes: Minute[] } = reader.named('usage')[0]?.data
  const starts = data.minutes.map(({ t }) => Date.parse(t))
  t.same(starts[1], Math.floor(Date.parse(data.at) / 60_000) * 60_000)
  t.same(starts[0], Number(starts[1]) - 60_000)
  const own = data.minutes.find(({ t }) => Date.parse(t) <= at.getTime() && isIn(at, t))
  // The machine may have been away for two minutes.
  if (own !== undefined) t.match(own, { calls: 7, ok: 5, client_error: 2, cost: 7 })
  t.ok(
    data.minutes.every((minute) => minute.calls < 100),
    'no older minute'
  )
  reader.leave()
})
interface Minute {
  t: string
  calls: number
}
const isIn = (at: Date, start: string) => at.getTime() - Date.parse(start) < 60_000

t.test('how far the figures reach is told with them', async (t) => {
  const endpoint = await endpointOf(plane, ann, { name: 'fourth' })
  const reader = await watchLive(ann, endpoint.path)
  await reader.until(() => reader.named('usage').length >= 1)
  t.equal(reader.named('usage')[0]?.data.complete_until, null, 'no gateway runs')
  const bootId = newId('boot')
  const [far, until] = [plane.clock().getTime() + 3_600_000, '2026-01-02T03:04:05.678Z']
  await database.pool.query(
    'INSERT INTO usage_writers (boot_id, node_id, seq, complete_until, updated_at) VALUES (?, ?, 1, ?, ?)',
    [bootId, 'one', new Date(until), new Date(far)]
  )
  await database.pool.query(
    'INSERT INTO gateway_nodes (node_id, boot_id, booted_at, seen_at, applied_change_id) VALUES (?, ?, ?, ?, 0)',
    ['one', bootId, new Date(until), new Date(far)]
  )
  await reader.until(() => reader.events.at(-1)?.data.complete_until === until)
  reader.leave()
  await database.pool.query('DELETE FROM gateway_nodes')
})

t.test('all readers together cost one reading at a time', async (t) => {
  const endpoint = await endpointOf(plane, ann, { name: 'fifth' })
  const other = await endpointOf(plane, ann, { name: 'sixth' })
  const { orm } = database
  const { transaction } = orm
  let readings = 0
  orm.transaction = (work, options) => {
    readings += 1
    return transaction.call(orm, work, options) as ReturnType<typeof work>
  }
  const paths = [endpoint.path, endpoint.path, endpoint.path, other.path, other.path]
  const readers = await Promise.all(paths.map((path) => watchLive(ann, path)))
  for (const reader of readers) await reader.until(() => reader.named('usage').length >= 3)
  const most = Math.max(...readers.map((reader) => reader.named('usage').length))
  orm.transaction = transaction
  t.ok(readings <= most + 2, `${readings} readings for ${most} events in each of 5 streams`)
  for (const reader of readers) reader.leave()
})

t.test(
  'while the figures cannot be read the stream stays open, and then nothing is missing',
  async (t) => {
    const endpoint = await endpointOf(plane, ann, { name: 'seventh' })
    const calls = await callsTo(endpoint)
    const reader = await watchLive(ann, endpoint.path)
    await reader.until(() => reader.named('usage').length >= 1)
    await recordCalls(database, [calls({ ok: 3 })])
    await database.pool.query('RENAME TABLE usage_days TO usage_days_away')
    const before = reader.heartbeats
    await reader.until(() => reader.heartbeats >= before + 2)
    await database.pool.query('RENAME TABLE usage_days_away TO usage_days')
    await reader.until(() => reader.added('calls') >= 3)
    t.equal(reader.added('calls'), 3)
    reader.leave()
  }
)
