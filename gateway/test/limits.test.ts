// Limits as a client meets them, exact however many threads serve.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { type GatewayProcess, startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const call = { jsonrpc: '2.0', id: 1, method: 'eth_blockNumber', params: [] }
const body = JSON.stringify(call)

function clientOf(gateway: GatewayProcess) {
  const post = async (secret: string, text = body) => {
    const init = { method: 'POST', body: text, headers: { connection: 'close' } }
    const response = await fetch(`${gateway.url}/api=${secret}`, init)
    const { status, headers } = response
    return { status, headers, answer: await response.text() }
  }
  /** How many of `count` calls at once, over these keys in turn, are admitted. */
  const admittedOf = async (count: number, secrets: readonly string[]) => {
    const calls = Array.from({ length: count }, (_, place) =>
      post(secrets[place % secrets.length] ?? '')
    )
    const responses = await Promise.all(calls)
    return responses.filter(({ status }) => status === 200).length
  }
  /** How many calls of eight busy clients are admitted in so many milliseconds. */
  const admittedIn = async (durationMs: number, secret: string) => {
    const endMs = performance.now() + durationMs
    let admitted = 0
    const client = async () => {
      while (performance.now() < endMs) if ((await post(secret)).status === 200) admitted++
    }
    await Promise.all(Array.from({ length: 8 }, client))
    return admitted
  }
  return { post, admittedOf, admittedIn }
}

for (const threads of ['1', '2']) {
  t.test(`with ${threads} threads`, async (t) => {
    const db = await createTestDatabase()
    const upstream = await startUpstream()
    const gateway = await startGateway({ databaseUrl: db.url, env: { GATEWAY_THREADS: threads } })
    t.teardown(async () => {
      await gateway.stop()
      await upstream.stop()
      await db.drop()
    })
    const { post, admittedOf, admittedIn } = clientOf(gateway)
    const newTenant = (endpoint = {}, org = {}, chain = {}) =>
      createTenant(db.database, { upstreamUrl: upstream.url, endpoint, org, chain })

    await t.test('the sixth call of a burst of 5 is refused', async (t) => {
      const { secret } = await newTenant({ requestsPerSecond: 5, burst: 5 })
      // The first look-up is not part of the burst: it could take longer than a token takes to come back.
      await post(secret, '[]')
      const statuses: number[] = []
      for (let n = 0; n < 6; n++) statuses.push((await post(secret)).status)
      t.same(statuses, [200, 200, 200, 200, 200, 429])
    })

    await t.test('the keys of an endpoint share its limit', async (t) => {
      const tenant = await newTenant({ requestsPerSecond: 1, burst: 20 })
      const second = await tenant.addKey()
      t.ok((await admittedOf(60, [tenant.secret, second.secret])) <= 22)
    })

    await t.test('the endpoints of an org share its limit', async (t) => {
      const tenant = await newTenant({}, { requestsPerSecond: 1, burst: 20 })
      const second = await tenant.addEndpoint()
      const admitted = await admittedOf(60, [tenant.secret, second.secret])
      t.ok(admitted >= 20 && admitted <= 22, `${admitted} of a burst of 20 at 1/s`)
    })

    await t.test('a daily quota admits exactly that many', async (t) => {
      const { secret } = await newTenant({ dailyQuota: 37 })
      t.equal(await admittedOf(100, [secret]), 37)
    })

    await t.test('what the org refuses is not charged to the endpoint', async (t) => {
      const tenant = await newTenant({ dailyQuota: 10 }, { dailyQuota: 4 })
      t.equal(await admittedOf(30, [tenant.secret]), 4)
      await tenant.updateOrg({ dailyQuota: null })
      await until(async () => (await post(tenant.secret)).status === 200)
      t.equal(await admittedOf(30, [tenant.secret]), 10 - 4 - 1)
    })

    await t.test('a batch costs what its items cost, all or nothing', async (t) => {
      const { secret } = await newTenant({ dailyQuota: 10 }, {}, { methodWeights: { heavy: 4 } })
      const heavy = { ...call, method: 'heavy' }
      const status = async (batch: unknown) => (await post(secret, JSON.stringify(batch))).status
      t.equal(await status([heavy, call]), 200, '5 of 10')
      const refused = await post(secret, JSON.stringify([heavy, call, call]))
      t.equal(refused.status, 402, '6 of the 5 that are left')
      t.match(refused.answer, 'This request costs 6, and the endpoint has 5 left today.')
      t.equal(await status([heavy]), 200)
      t.equal(await status([call]), 200)
      t.equal(await status([call]), 402)
    })

    await t.test('a method of weight 0 is free', async (t) => {
      const { secret } = await newTenant({ dailyQuota: 1 }, {}, { methodWeights: { free: 0 } })
      const free = JSON.stringify({ ...call, method: 'free' })
      for (let n = 0; n < 5; n++) t.equal((await post(secret, free)).status, 200)
      t.equal((await post(secret)).status, 200)
      t.equal((await post(secret, free)).status, 200)
      t.equal((await post(secret)).status, 402)
    })

    await t.test('under load, admitted is at most rate·T + burst, and close to it', async (t) => {
      const { secret } = await newTenant({ requestsPerSecond: 50, burst: 20 })
      await post(secret, '[]')
      const startMs = performance.now()
      const admitted = await admittedIn(3000, secret)
      const seconds = (performance.now() - startMs) / 1000
      const most = 50 * seconds + 20
      t.ok(admitted <= most, `${admitted} admitted in ${seconds.toFixed(2)} s, at most ${most}`)
      t.ok(admitted >= 0.9 * (50 * 3 + 20), `${admitted} admitted of ${50 * 3 + 20}`)
    })
  })
}
