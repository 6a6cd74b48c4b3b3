// One org cannot take all connections of a chain, nor all places in its queue, however many keys it uses and however
// slowly it reads.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { answerText, okAnswer, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const connectionsMax = 8
/** Three quarters of the connections, and three quarters of the queue. */
const share = 6
const largeAnswer = answerText(`{"jsonrpc":"2.0","id":1,"result":"${'x'.repeat(12_000_000)}"}`)

const db = await createTestDatabase()
const upstream = await startRawUpstream()
const greedy = await createTenant(db.database, { upstreamUrl: upstream.url })
const other = await createTenant(db.database, { chainId: greedy.chainId })
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { UPSTREAM_CONNECTIONS_MAX: String(connectionsMax), UPSTREAM_QUEUE_MAX: '8' }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})
const clients: RawClient[] = []
t.afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  for (const socket of upstream.sockets) socket.destroy()
  await until(async () => (await exchanges()) === 0)
  upstream.requests.length = 0
})

const exchanges = () => gateway.metric('sluice_gateway_exchanges')
const requestOf = (secret: string, method: string) =>
  requestText('POST', `/api=${secret}`, {}, `{"jsonrpc":"2.0","id":1,"method":"${method}"}`)
async function open(secret: string, method = 'eth_getLogs'): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  clients.push(client)
  client.send(requestOf(secret, method))
  return client
}

t.test('an org whose clients do not read leaves connections to another org', async (t) => {
  upstream.answer = (socket, { body }) => {
    socket.write(body.includes('eth_getLogs') ? largeAnswer : okAnswer)
  }
  const second = await greedy.addEndpoint()
  for (let count = 0; count < 10; count++) {
    const client = await open(count % 2 === 0 ? greedy.secret : second.secret)
    client.socket.pause()
  }
  await until(async () => (await exchanges()) === 10)
  await until(() => upstream.requests.length === share)
  for (let count = 0; count < 20; count++) {
    t.equal((await sendRaw(gateway.port, requestOf(other.secret, 'eth_chainId')))?.status, 200)
  }
  t.equal(upstream.requests.length, share + 20, 'and gets no more than its share meanwhile')
})

t.test('an org that fills the queue leaves places to another, whose call is next', async (t) => {
  upstream.answer = () => undefined
  for (let count = 0; count < share + share; count++) await open(greedy.secret)
  await until(async () => (await exchanges()) === share + share)
  const refused = await (await open(greedy.secret)).answer()
  t.equal(JSON.parse(refused?.body ?? '').error.data.reason, 'overloaded')
  // The connections that are left, and then a place in the queue.
  for (let count = 0; count < 3; count++) await open(other.secret, 'eth_chainId')
  await until(() => upstream.requests.length === connectionsMax)
  await until(async () => (await exchanges()) === share + share + 3)
  const [socket] = upstream.sockets
  socket?.write(okAnswer)
  await until(() => upstream.requests.length === connectionsMax + 1)
  t.match(upstream.requests.at(-1)?.body, /eth_chainId/)
})

t.test('a lone org goes on using what others do not, up to its share', async (t) => {
  upstream.answer = () => undefined
  for (let count = 0; count < share + 1; count++) await open(greedy.secret)
  await until(async () => (await exchanges()) === share + 1)
  await until(() => upstream.requests.length === share)
  upstream.answer = (socket) => socket.write(okAnswer)
  for (const socket of upstream.sockets) socket.write(okAnswer)
  for (const client of clients) t.equal((await client.answer())?.status, 200)
})
