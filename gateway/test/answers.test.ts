// The forms of an answer: without a body, in chunks, with informational heads before it, as a stream of events, and so
// large that the client takes longer to read it than the node to send it.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { answerText, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const timeoutMs = 1500

const db = await createTestDatabase()
const upstream = await startRawUpstream()
const rest = await createTenant(db.database, { upstreamUrl: upstream.url, chain: { kind: 'rest' } })
const limited = await createTenant(db.database, {
  upstreamUrl: upstream.url,
  endpoint: { allowedMethods: ['eth_chainId'] }
})
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { UPSTREAM_TIMEOUT_MS: String(timeoutMs) }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})

// With a length: after a request without one the connection is closed (test/front-refusals).
const noBody = { 'Content-Length': '0' }
const get = requestText('GET', `/api=${rest.secret}/x`, noBody)
const head = requestText('HEAD', `/api=${rest.secret}/x`, noBody)
const answers = (text: string) => {
  upstream.answer = (socket) => socket.write(text)
}

t.test('answers without a body end with their head', async (t) => {
  for (const line of ['204 No Content', '304 Not Modified']) {
    answers(`HTTP/1.1 ${line}\r\nETag: "a"\r\n\r\n`)
    const client = await RawClient.open(gateway.port)
    for (let count = 0; count < 2; count++) {
      client.send(get)
      const answer = await client.answer()
      t.equal(answer?.status, Number(line.slice(0, 3)))
      t.equal(answer?.headers.etag, '"a"')
    }
    client.destroy()
  }
})

t.test('the answer to HEAD declares its length and sends nothing', async (t) => {
  answers('HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n\r\n')
  const client = await RawClient.open(gateway.port)
  client.send(head)
  await client.sees('\r\n\r\n')
  t.match(client.received, /content-length: 1234567\r\n/i)
  client.received = ''
  answers(answerText('next'))
  client.send(get)
  t.equal((await client.answer())?.body, 'next', 'the connection goes on')
  client.destroy()
})

t.test('informational heads are not the answer', async (t) => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'
  answers(hints + hints + answerText('final', ['X-Final: 1']))
  const answer = await sendRaw(gateway.port, get)
  t.equal(answer?.status, 200)
  t.equal(answer?.headers['x-final'], '1')
  t.equal(answer?.body, 'final')
})

t.test('chunks become one answer with a length, and trailers end here', async (t) => {
  answers(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n' +
      '2;ext=1\r\n{"\r\n3\r\na":\r\n2\r\n1}\r\n0\r\nX-T: 1\r\n\r\n'
  )
  const answer = await sendRaw(gateway.port, get)
  t.equal(answer?.body, '{"a":1}')
  t.equal(answer?.headers['content-length'], '7')
  t.notMatch(answer?.head, /trailer|x-t/i)
})

t.test('a body without a length ends with its connection', async (t) => {
  upstream.answer = (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end')
  t.equal((await sendRaw(gateway.port, get))?.body, 'until the end')
})

t.test('an unusual status passes', async (t) => {
  for (const status of [226, 299, 418, 451, 599]) {
    answers(`HTTP/1.1 ${status} Odd\r\nContent-Length: 1\r\n\r\nx`)
    t.equal((await sendRaw(gateway.port, get))?.status, status)
  }
})

t.test(
  'a refused call of a batch is answered although the upstream answers with nothing',
  async (t) => {
    const batch =
      '[{"jsonrpc":"2.0","method":"eth_chainId"},{"jsonrpc":"2.0","id":5,"method":"debug_x"}]'
    const post = requestText('POST', `/api=${limited.secret}`, {}, batch)
    for (const text of ['HTTP/1.1 204 No Content\r\n\r\n', answerText('')]) {
      answers(text)
      const answer = await sendRaw(gateway.port, post)
      t.equal(answer?.status, 200)
      t.match(JSON.parse(answer?.body ?? ''), [{ id: 5, error: { code: -32004 } }])
    }
  }
)

t.test('events pass at once, and the stream ends as the upstream ends it', async (t) => {
  answers(
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
  )
  const client = await RawClient.open(gateway.port)
  client.send(get)
  await client.sees('text/event-stream')
  const [socket] = upstream.sockets
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    socket?.write(`${event.length.toString(16)}\r\n${event}\r\n`)
    await client.sees(event)
  }
  socket?.write('0\r\n\r\n')
  t.equal((await client.answer())?.body, 'data: 1\n\ndata: 2\n\n')
  client.destroy()
})

t.test('a stream whose client leaves is ended upstream', async (t) => {
  answers(
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
  )
  const client = await RawClient.open(gateway.port)
  client.send(get)
  await client.sees('text/event-stream')
  const open = upstream.sockets.size
  client.destroy()
  await until(() => upstream.sockets.size < open)
  t.pass()
})

const megabyte = 1_048_576
const large = Buffer.alloc(50 * megabyte, 'abcdefghijklmnop')
const largeHeads = {
  'with a declared length': `Content-Length: ${large.length}`,
  'in chunks': 'Transfer-Encoding: chunked'
}

/** Sends as fast as the gateway takes it. */
function answerLarge(line: string): void {
  upstream.answer = (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n`)
    if (line.startsWith('Content-Length')) socket.write(large)
    else {
      socket.write(`${large.length.toString(16)}\r\n`)
      socket.write(large)
      socket.write('\r\n0\r\n\r\n')
    }
  }
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8')
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}

/** Opens a connection, asks, and reads nothing until `resume`. */
async function askAndPause(t: Test): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  t.teardown(() => client.destroy())
  client.send(get)
  client.socket.pause()
  return client
}

for (const [name, line] of Object.entries(largeHeads)) {
  t.test(`50 MB ${name} reach a slow client whole, and are never held`, async (t) => {
    answerLarge(line)
    const before = residentBytes()
    const request = httpGet(`${gateway.url}/api=${rest.secret}/x`)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    // Not read at all until the gateway has had to wait.
    await until(async () => (await gateway.metric('sluice_gateway_exchanges')) === 1)
    const grown = (residentBytes() - before) / megabyte
    t.ok(grown < 25, `memory grew by ${grown.toFixed(1)} MB`)
    t.ok((await buffer(response)).equals(large))
  })

  t.test(`a client that stops reading an answer ${name} is ended`, async (t) => {
    answerLarge(line)
    const before = await gateway.metric('sluice_gateway_upstream_requests_total', '"client_gone"')
    await askAndPause(t)
    await until(async () => (await gateway.metric('sluice_gateway_exchanges')) === 1)
    await until(async () => (await gateway.metric('sluice_gateway_exchanges')) === 0)
    const after = await gateway.metric('sluice_gateway_upstream_requests_total', '"client_gone"')
    t.equal(after - before, 1, 'and it counts as a client that left')
  })
}
