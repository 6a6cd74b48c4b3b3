// Metric series of keys are used again, without a wrong count: as names, as memory, and through a real gateway.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { MetricsKeys } from '../keys/metrics-keys.ts'
import { Counters, createCounterMemory, droppedIndex } from '../telemetry/counters.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

t.test('a name is given to another key once every thread has forgotten its own', async (t) => {
  let nowMs = 0
  const released: string[][] = []
  const keys = new MetricsKeys({
    clock: { nowMs: () => nowMs },
    keysMax: 2,
    graceMs: 1000,
    releaseSeries: async (keyIds) => {
      released.push([...keyIds])
      t.equal(keys.labelOf('key_1', 'ep_1', false), '_other', 'not while its series are given up')
    }
  })
  t.equal(keys.labelOf('key_1', 'ep_1', false), 'key_1')
  t.equal(keys.labelOf('key_2', 'ep_2', false), 'key_2')
  t.equal(keys.labelOf('key_3', 'ep_3', false), '_other')
  keys.forget(new Set(['ep_1', 'ep_2']), 1)
  t.equal(keys.labelOf('key_2', 'ep_2', false), 'key_2', 'asked for again')
  t.equal(keys.labelOf('key_1', 'ep_1', true), 'key_1', 'what is revoked keeps its name until then')
  await keys.hear(1)
  nowMs += 1000
  await keys.hear(0)
  t.same(released, [], 'neither before the grace time nor before the threads have heard')
  await keys.hear(1)
  t.same(released, [['key_1']])
  t.equal(keys.labelOf('key_3', 'ep_3', false), 'key_3')
})

t.test('an index is used again a release later, from nothing', async (t) => {
  const memory = createCounterMemory()
  const values = new Float64Array(memory)
  const counters = new Counters(memory, () => undefined)
  const indexOf = (keyId: string) => counters.indexOf('requests_by_api_key', [keyId, 'a'])
  const first = indexOf('key_1')
  const other = counters.indexOf('failures', ['key_1'])
  counters.add(first, 5)
  counters.add(other, 7)
  counters.release('requests_by_api_key', new Set(['key_1']))
  t.equal(values[first], 0)
  t.not(indexOf('key_2'), first, 'the main thread has not heard yet')
  counters.release('requests_by_api_key', new Set(['key_9']))
  t.equal(indexOf('key_3'), first)
  t.equal(values[other], 7, 'series of other families stay')
  t.not(first, droppedIndex)
})

t.test('a rotated key has series of its own, however many there were before', async (t) => {
  const db = await createTestDatabase()
  const upstream = await startUpstream()
  const gateway = await startGateway({
    databaseUrl: db.url,
    env: { METRICS_KEYS_MAX: '2', UPSTREAM_TIMEOUT_MS: '200', GATEWAY_THREADS: '2' }
  })
  t.teardown(async () => {
    await gateway.stop()
    await upstream.stop()
    await db.drop()
  })
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
  const post = async (secret: string) => {
    const init = { method: 'POST', body, headers: { connection: 'close' } }
    const response = await fetch(`${gateway.url}/api=${secret}`, init)
    await response.arrayBuffer()
    return response.status
  }
  const counted = (keyId: string) => gateway.metric('requests_by_api_key', keyId)
  for (let rotation = 0; rotation < 4; rotation++) {
    const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
    // Whoever comes while all names are taken is asked again when one is free: after a change of its own, at the latest.
    await until(async () => {
      await tenant.updateEndpoint({ name: `main ${performance.now()}` })
      await post(tenant.secret)
      return (await counted(tenant.keyId)) > 0
    })
    const before = await counted(tenant.keyId)
    // Another thread may count under the old name until it has heard of the change.
    await until(async () => {
      t.equal(await post(tenant.secret), 200)
      return (await counted(tenant.keyId)) >= before + 5
    })
    await tenant.updateKey({ revokedAt: new Date() })
    await until(async () => (await post(tenant.secret)) === 401)
  }
})
