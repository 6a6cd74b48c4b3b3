// Answers that we make, hold or add to are bounded: by what was sent, by the account of the thread, and in time.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { answerText, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const itemsMax = 1000

const db = await createTestDatabase()
const upstream = await startRawUpstream()
const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { BATCH_ITEMS_MAX: String(itemsMax) }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})

const path = `/api=${tenant.secret}`
const batchOf = (count: number, item: string) => `[${Array(count).fill(item).join(',')}]`
const post = async (target: string, body: string) => {
  const answer = await sendRaw(gateway.port, requestText('POST', target, {}, body))
  return { status: answer?.status, text: answer?.body ?? '' }
}

t.test('refusals: an answer is at most a small multiple of what was sent', async (t) => {
  for (const [target, count, item] of [
    ['/api=none', 10_000, '0'],
    ['/api=none', 7000, '{"id":1}'],
    [path, 10_000, '0'],
    [path, 5000, '{"id":1}'],
    [path, itemsMax, '0'],
    [path, itemsMax, '{"id":1}']
  ] as const) {
    const body = batchOf(count, item)
    const { text } = await post(target, body)
    t.ok(text.length <= 4096 + 8 * body.length + 2 * itemsMax, `${count} × ${item}: ${text.length}`)
    t.ok(Array.isArray(JSON.parse(text)))
  }
  t.equal(JSON.parse((await post('/api=none', batchOf(10_000, '0'))).text).length, 1)
})

t.test('refusals: every call that a client library would send has its own error', async (t) => {
  const item = (id: number) => `{"method":"eth_chainId","params":[],"id":${id},"jsonrpc":"2.0"}`
  for (const target of ['/api=none', path]) {
    const count = target === path ? itemsMax + 1 : 1000
    const body = `[${Array.from({ length: count }, (_, id) => item(id)).join(',')}]`
    const { text } = await post(target, body)
    const ids = JSON.parse(text).map(({ id }: { id: number }) => id)
    t.same(
      ids,
      Array.from({ length: itemsMax }, (_, id) => id)
    )
  }
})

t.test(
  'merging: a large answer to a batch with a refused item is streamed, ours at its end',
  async (t) => {
    const piece = 'x'.repeat(100_000)
    const pieces = 12
    const length = pieces * piece.length + '[{"jsonrpc":"2.0","id":1,"result":""}]'.length
    upstream.answer = (socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n[{"jsonrpc":"2.0","id":1,"result":"`
      )
      socket.write(piece)
    }
    const client = await RawClient.open(gateway.port)
    client.send(
      requestText('POST', path, {}, '[{"jsonrpc":"2.0","id":1,"method":"eth_getLogs"},7]')
    )
    await client.sees('xxxx')
    t.pass('it begins before the node has sent all')
    const [socket] = upstream.sockets
    for (let count = 1; count < pieces; count++) socket?.write(piece)
    socket?.write('"}]')
    await client.sees('\r\n0\r\n\r\n')
    const body = client.received.slice(client.received.indexOf('\r\n\r\n') + 4)
    let text = ''
    for (let at = 0; ; ) {
      const lineEnd = body.indexOf('\r\n', at)
      const size = Number.parseInt(body.slice(at, lineEnd), 16)
      if (size === 0) break
      text += body.slice(lineEnd + 2, lineEnd + 2 + size)
      at = lineEnd + 2 + size + 2
    }
    const [result, error] = JSON.parse(text)
    t.equal(result.result.length, pieces * piece.length)
    t.match(error, { id: null, error: { code: -32600 } })
    client.destroy()
  }
)

t.test('merging: an answer that does not end as an array is never completed', async (t) => {
  const body = `[{"jsonrpc":"2.0","id":1,"result":"${'x'.repeat(400_000)}"}`
  upstream.answer = (socket) => socket.write(answerText(body))
  const client = await RawClient.open(gateway.port)
  client.send(requestText('POST', path, {}, '[{"jsonrpc":"2.0","id":1,"method":"eth_getLogs"},7]'))
  await client.closed()
  t.notMatch(client.received, /\r\n0\r\n\r\n$/)
  client.destroy()
})

t.test(
  'an answer that its client does not read is under way until it is read, or its time is over',
  async (t) => {
    const large = await startGateway({
      databaseUrl: db.url,
      env: { ANSWER_BUFFER_BYTES_MAX: '16777216', UPSTREAM_TIMEOUT_MS: '4000' }
    })
    t.teardown(() => large.stop())
    const underWay = () => large.metric('sluice_gateway_exchanges')
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, result: 'x'.repeat(12_000_000) })
    upstream.answer = (socket) => socket.write(answerText(body))
    const call = requestText('POST', path, {}, '{"jsonrpc":"2.0","id":1,"method":"eth_getLogs"}')
    const [reads, leaves] = [await RawClient.open(large.port), await RawClient.open(large.port)]
    for (const client of [reads, leaves]) {
      client.socket.pause()
      client.send(call)
    }
    await until(async () => (await underWay()) === 2)
    reads.socket.resume()
    t.equal((await reads.answer())?.body.length, body.length)
    await until(async () => (await underWay()) === 0)
    for (const client of [reads, leaves]) client.destroy()
  }
)
