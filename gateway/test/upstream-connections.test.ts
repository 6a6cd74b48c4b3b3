// Connections to a node that are kept, reused, shared and given up: a call is repeated only where that is safe, waits
// only in a bounded queue, and is cancelled when nobody waits for it any more.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { okAnswer, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const db = await createTestDatabase()
const upstream = await startRawUpstream()
const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
const rest = await createTenant(db.database, { upstreamUrl: upstream.url, chain: { kind: 'rest' } })
const env = { UPSTREAM_CONNECTIONS_MAX: '2', UPSTREAM_QUEUE_MAX: '1' }
const gateway = await startGateway({ databaseUrl: db.url, env })
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})
t.beforeEach(async () => {
  for (const socket of upstream.sockets) socket.destroy()
  await until(() => upstream.sockets.size === 0)
  upstream.requests.length = 0
  upstream.answer = (socket) => socket.write(okAnswer)
})

const requestOf = (method: string) =>
  requestText('POST', `/api=${tenant.secret}`, {}, `{"jsonrpc":"2.0","id":1,"method":"${method}"}`)
const send = (method: string) => sendRaw(gateway.port, requestOf(method))
const received = (method: string) => upstream.requests.filter(({ body }) => body.includes(method))
const counted = (result: string) =>
  gateway.metric('sluice_gateway_upstream_requests_total', `"${result}"`)

/** Answers the first request of a connection, and breaks it at the second: as a node that closes what is idle. */
function closeIdle(): void {
  upstream.answer = (socket, _request, place) => {
    if (place === 1) socket.write(okAnswer)
    else socket.resetAndDestroy()
  }
}

t.test('a read that meets a closing connection is repeated once, and succeeds', async (t) => {
  closeIdle()
  t.equal((await send('eth_gasPrice'))?.status, 200)
  t.equal((await send('eth_chainId'))?.status, 200)
  t.equal(received('eth_chainId').length, 2)
  const get = requestText('GET', `/api=${rest.secret}/x`)
  t.equal((await sendRaw(gateway.port, get))?.status, 200, 'connections are per chain')
  t.equal((await sendRaw(gateway.port, get))?.status, 200)
})

t.test('a call that changes something is never sent twice', async (t) => {
  for (const method of ['eth_sendRawTransaction', 'eth_getFilterChanges', 'invented_method']) {
    closeIdle()
    t.equal((await send('eth_gasPrice'))?.status, 200)
    t.equal((await send(method))?.status, 502)
    t.equal(received(method).length, 1, method)
  }
  closeIdle()
  t.equal((await send('eth_gasPrice'))?.status, 200)
  const batch = `[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"eth_sendRawTransaction"}]`
  const text = requestText('POST', `/api=${tenant.secret}`, {}, batch)
  t.equal((await sendRaw(gateway.port, text))?.status, 502)
  t.equal(upstream.requests.filter(({ body }) => body === batch).length, 1, 'nor a batch with one')
})

t.test('a read is repeated at most once', async (t) => {
  upstream.answer = (socket) => socket.resetAndDestroy()
  t.equal((await send('eth_chainId'))?.status, 502)
  t.equal(received('eth_chainId').length, 2)
})

t.test('a node that fails as a whole is not sent twice as much', async (t) => {
  upstream.answer = (socket) => socket.resetAndDestroy()
  const before = await counted('repeated')
  for (let count = 0; count < 150; count++) await send('eth_chainId')
  const repeated = (await counted('repeated')) - before
  t.ok(repeated < 100, `${repeated} of 150 were repeated: 20 %, what was saved, and 10 per second`)
})

t.test('a node that closes right after each answer loses no call', async (t) => {
  upstream.answer = (socket) => socket.end(okAnswer)
  for (let count = 0; count < 20; count++) {
    t.equal((await send('eth_sendRawTransaction'))?.status, 200)
  }
})

t.test(
  'beyond its connections and its queue a chain is overloaded, and says when to come back',
  async (t) => {
    upstream.answer = () => undefined
    const waiting = Array.from({ length: 3 }, () => send('eth_chainId'))
    await until(() => upstream.requests.length === 2)
    // The third waits in the queue; a request sent later than it is refused.
    await until(async () => (await gateway.metric('sluice_gateway_exchanges')) === 3)
    const refused = await send('eth_chainId')
    t.equal(refused?.status, 503)
    t.equal(refused?.headers['retry-after'], '01')
    t.equal(JSON.parse(refused?.body ?? '').error.data.reason, 'overloaded')
    upstream.answer = (socket) => socket.write(okAnswer)
    for (const socket of upstream.sockets) socket.write(okAnswer)
    for (const answer of await Promise.all(waiting)) t.equal(answer?.status, 200)
    t.equal((await send('eth_chainId'))?.status, 200, 'and then serves again')
  }
)

t.test('a call whose client has gone is cancelled upstream', async (t) => {
  upstream.answer = () => undefined
  const before = await counted('client_gone')
  const client = await RawClient.open(gateway.port)
  client.send(requestOf('eth_call'))
  await until(() => upstream.requests.length === 1)
  client.destroy()
  await until(() => upstream.sockets.size === 0)
  t.equal((await counted('client_gone')) - before, 1)
  await until(async () => (await gateway.metric('sluice_gateway_exchanges')) === 0)
})

/** Two calls that the node has not answered take both connections. */
async function holdConnections() {
  upstream.answer = () => undefined
  const waiting = [send('eth_chainId'), send('eth_chainId')]
  await until(() => upstream.requests.length === 2)
  const sockets = [...upstream.sockets]
  return {
    sockets,
    async release() {
      upstream.answer = (socket) => socket.write(okAnswer)
      for (const socket of sockets) socket.write(okAnswer)
      return await Promise.all(waiting)
    }
  }
}
const exchanges = () => gateway.metric('sluice_gateway_exchanges')

t.test(
  'a queued call whose client has gone is never sent, and leaves its place and the connections to others',
  async (t) => {
    const held = await holdConnections()
    for (let round = 0; round < 2; round++) {
      const client = await RawClient.open(gateway.port)
      client.send(requestOf('eth_sendRawTransaction'))
      await until(async () => (await exchanges()) === 3)
      client.destroy()
      await until(async () => (await exchanges()) === 2)
    }
    const patient = send('eth_gasPrice')
    await until(async () => (await exchanges()) === 3)
    for (const answer of await held.release()) t.equal(answer?.status, 200)
    t.equal((await patient)?.status, 200, 'the place of those who left was free')
    t.equal((await send('eth_gasPrice'))?.status, 200)
    t.equal(received('eth_sendRawTransaction').length, 0)
    t.same([...upstream.sockets], held.sockets, 'no connection was spent on them')
  }
)

t.test(
  'a queued call whose deadline has passed is never sent, and leaves its place to others',
  async (t) => {
    const hasty = await startGateway({
      databaseUrl: db.url,
      env: { ...env, UPSTREAM_TIMEOUT_MS: '1500' }
    })
    t.teardown(() => hasty.stop())
    const underWay = () => hasty.metric('sluice_gateway_exchanges')
    // Events keep the two connections busy beyond the deadline of the call that waits.
    const events = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
    upstream.answer = (socket) => socket.write(events)
    const busy = [await RawClient.open(hasty.port), await RawClient.open(hasty.port)]
    for (const client of busy) client.send(requestOf('eth_subscribe'))
    for (const client of busy) await client.sees('event-stream')
    const sockets = [...upstream.sockets]
    const beat = setInterval(() => {
      for (const socket of sockets) socket.write(':\n\n')
    }, 100)
    t.teardown(() => clearInterval(beat))
    t.equal((await sendRaw(hasty.port, requestOf('eth_sendRawTransaction')))?.status, 504)
    const next = await RawClient.open(hasty.port)
    next.send(requestOf('eth_gasPrice'))
    await until(async () => (await underWay()) === 3)
    upstream.answer = (socket) => socket.write(okAnswer)
    for (const client of busy) client.destroy()
    t.equal((await next.answer())?.status, 200, 'its place was free')
    next.destroy()
    t.equal(received('eth_sendRawTransaction').length, 0)
  }
)

t.test('an upstream whose address changes is used from then on', async (t) => {
  const other = await startRawUpstream()
  t.teardown(() => other.stop())
  await tenant.updateUpstream(other.url)
  await until(async () => {
    await send('eth_chainId')
    return other.requests.length > 0
  })
  await until(() => upstream.sockets.size === 0)
  t.pass('and the connections to the old one are closed')
})
