// Request bodies that are begun and not ended: whoever holds most is refused first, and nobody else is.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { ByteAccount } from '../byte-account.ts'
import { Holding } from '../org-holdings.ts'
import { startGateway } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const bodyBytesMax = 262_144
const bodiesBytesMax = 4_194_304
const call = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'

const db = await createTestDatabase()
const upstream = await startUpstream()
const greedy = await createTenant(db.database, { upstreamUrl: upstream.url })
const other = await createTenant(db.database, { upstreamUrl: upstream.url })
const gateway = await startGateway({
  databaseUrl: db.url,
  env: {
    REQUEST_BODY_BYTES_MAX: String(bodyBytesMax),
    REQUEST_BODIES_BYTES_MAX: String(bodiesBytesMax),
    BODY_IDLE_TIMEOUT_MS: '600000',
    BODY_TIMEOUT_MS: '600000'
  }
})
const clients: RawClient[] = []
t.teardown(async () => {
  for (const client of clients) client.destroy()
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})
t.afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
})

const post = (secret: string, length: number) =>
  sendRaw(gateway.port, requestText('POST', `/api=${secret}`, {}, call.padEnd(length)))
const reasonOf = (body: string | undefined) => JSON.parse(body ?? '').error.data.reason

/** Sends `sent` of `declared` bytes, and a request of another connection behind it, so that they have been read. */
async function begin(target: string, declared: number, sent: number): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  clients.push(client)
  client.send(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${declared}\r\n\r\n`)
  client.send(call.padEnd(sent))
  return client
}

/** Begins bodies until one is refused for lack of room, and then fills what is left byte by byte. */
async function fill(target: string, declared: number): Promise<string[]> {
  const refused: string[] = []
  for (let count = 0; count < 200 && refused.length < 3; count++) {
    const client = await begin(target, declared, declared - 1)
    // Answered in order of arrival on this one thread: what came before it has been counted.
    await post(other.secret, call.length)
    if (client.received !== '') {
      const answer = await client.answer()
      refused.push(answer?.body ?? '')
    }
  }
  return refused
}

t.test(
  'bodies: half-sent ones without a key take at most half, and everybody is served',
  async (t) => {
    const refused = await fill('/api=nokey123', 65_000)
    t.equal(refused.length, 3, 'beyond that they are answered at once')
    for (const body of refused) {
      t.equal(reasonOf(body), 'key_invalid')
      t.equal(JSON.parse(body).id, null)
    }
    for (const length of [call.length, 16_384, 100_000, bodyBytesMax]) {
      for (const { secret } of [greedy, other]) t.equal((await post(secret, length))?.status, 200)
    }
  }
)

t.test(
  'bodies: half-sent ones of one org take at most its share, and others are served',
  async (t) => {
    const refused = await fill(`/api=${greedy.secret}`, bodyBytesMax)
    t.equal(refused.length, 3)
    for (const body of refused) t.equal(reasonOf(body), 'overloaded')
    const second = await greedy.addEndpoint()
    const more = await post(second.secret, bodyBytesMax)
    t.equal(reasonOf(more?.body), 'overloaded', 'another key of the org does not help')
    t.equal((await post(greedy.secret, 16_383))?.status, 200, 'small bodies always pass')
    for (const length of [call.length, 100_000, bodyBytesMax]) {
      t.equal((await post(other.secret, length))?.status, 200)
    }
    for (const client of clients.splice(0)) client.destroy()
    let answer = await post(greedy.secret, bodyBytesMax)
    while (answer?.status !== 200) answer = await post(greedy.secret, bodyBytesMax)
    t.pass('and what they held is given back when they leave')
  }
)

t.test('bodies: a key that changes while its bodies come does not get another share', async (t) => {
  await fill(`/api=${greedy.secret}`, bodyBytesMax)
  const change = await greedy.updateEndpoint({ name: 'another name' })
  const isApplied = async () => {
    const [rows] = await db.database.pool.query(
      'SELECT 1 FROM change_applications WHERE change_id >= ?',
      [change]
    )
    return (rows as unknown[]).length > 0
  }
  while (!(await isApplied()));
  t.equal(reasonOf((await post(greedy.secret, bodyBytesMax))?.body), 'overloaded')
  t.equal((await post(other.secret, bodyBytesMax))?.status, 200)
})

t.test(
  'account: a lone holder gets a quarter, one of the largest always fits, keyless get half',
  async (t) => {
    const account = new ByteAccount(1000, 50)
    const [first, second] = [new Holding(), new Holding()]
    let taken = 0
    while (account.take(first, 1)) taken++
    t.equal(taken, 250)
    while (account.take(null, 1)) taken++
    t.equal(taken, 500)
    while (account.take(second, 1));
    t.equal(second.bytes, 125)
    for (let count = 0; count < 7; count++) t.equal(account.take(new Holding(), 50), true)
    t.equal(account.take(new Holding(), 50), false, 'never more than the whole')
    account.giveBack(first, 250)
    t.equal(first.bytes, 0)
    t.equal(account.take(second, 1), false)
  }
)

t.test(
  'bodies: half-sent small ones, with and without a key, leave room among the requests under way',
  async (t) => {
    const small = await startGateway({
      databaseUrl: db.url,
      env: { EXCHANGES_MAX: '20', BODY_IDLE_TIMEOUT_MS: '600000', BODY_TIMEOUT_MS: '600000' }
    })
    t.teardown(() => small.stop())
    const send = (secret: string) =>
      sendRaw(small.port, requestText('POST', `/api=${secret}`, {}, call))
    // Both keys are known: what is not, gets nothing when half is taken.
    for (const { secret } of [greedy, other]) t.equal((await send(secret))?.status, 200)
    for (const target of ['/api=nokey123', `/api=${greedy.secret}`]) {
      for (let count = 0; count < 40; count++) {
        const client = await RawClient.open(small.port)
        clients.push(client)
        client.send(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{`)
      }
      t.equal((await send(other.secret))?.status, 200)
    }
  }
)
