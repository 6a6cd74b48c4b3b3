// Clients that break off, stall, send too much or all at once: they get a refusal they can use, or lose their connection,
// and take nothing from anybody else.
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { createTenant } from './support/tenant.ts'
import { echo, startUpstream } from './support/upstream.ts'

const bodyBytesMax = 4096

const db = await createTestDatabase()
const upstream = await startUpstream()
const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
const gateway = await startGateway({
  databaseUrl: db.url,
  env: {
    BODY_IDLE_TIMEOUT_MS: '300',
    BODY_TIMEOUT_MS: '1200',
    REQUEST_BODY_BYTES_MAX: String(bodyBytesMax),
    BATCH_ITEMS_MAX: '3',
    // One org may have six of them (org-holdings.ts).
    EXCHANGES_MAX: '8'
  }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})
t.beforeEach(() => {
  upstream.received.length = 0
  upstream.answer = echo
})

const path = `/api=${tenant.secret}`
const badPath = '/api=slc_junk'
const call = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
const good = requestText('POST', path, {}, call)
const head = (length: number | string, target = path) =>
  `POST ${target} HTTP/1.1\r\nHost: gateway\r\nContent-Length: ${length}\r\n\r\n`
const exchanges = () => gateway.metric('sluice_gateway_exchanges')
const idle = () => until(async () => (await exchanges()) === 0)
const reasonOf = (body: string | undefined) => JSON.parse(body ?? '').error.data.reason

async function serves(t: Test): Promise<void> {
  t.equal((await sendRaw(gateway.port, good))?.status, 200, 'the next client is served')
}

t.test('a body that is cut off reaches nobody', async (t) => {
  for (const target of [path, badPath]) {
    const client = await RawClient.open(gateway.port)
    client.send(head(call.length, target) + call.slice(0, 20))
    client.destroy()
  }
  await serves(t)
  t.equal(upstream.received.length, 1)
  await idle()
})

t.test(
  'a body that stops coming is answered as body_timeout, and its connection closed',
  async (t) => {
    for (const [target, status, reason] of [
      [path, 408, 'body_timeout'],
      [badPath, 401, 'key_invalid']
    ] as const) {
      const client = await RawClient.open(gateway.port)
      client.send(head(call.length, target) + call.slice(0, 20))
      const answer = await client.answer()
      t.equal(answer?.status, status)
      t.equal(reasonOf(answer?.body), reason)
      await client.closed()
      client.destroy()
    }
    await serves(t)
    t.equal(upstream.received.length, 1)
  }
)

t.test(
  'a body that comes steadily has time until BODY_TIMEOUT_MS, whatever UPSTREAM_TIMEOUT_MS is',
  async (t) => {
    const patient = await startGateway({
      databaseUrl: db.url,
      env: { UPSTREAM_TIMEOUT_MS: '100', BODY_IDLE_TIMEOUT_MS: '5000', BODY_TIMEOUT_MS: '600000' }
    })
    t.teardown(() => patient.stop())
    for (const [port, status] of [
      [patient.port, 200],
      [gateway.port, 408]
    ] as const) {
      const client = await RawClient.open(port)
      client.send(head(bodyBytesMax))
      client.send(call)
      let left = bodyBytesMax - call.length
      const startedMs = performance.now()
      const steps = setInterval(() => {
        // One at a time until long after all the times that are not to apply, and then the rest.
        const count = performance.now() - startedMs < 2500 ? 1 : left
        client.send(' '.repeat(count))
        left -= count
      }, 20)
      const answer = await client.answer()
      clearInterval(steps)
      t.equal(answer?.status, status)
      if (status === 408) {
        t.equal(reasonOf(answer?.body), 'body_timeout')
        await client.closed()
      }
      client.destroy()
    }
  }
)

t.test('a body in single bytes is a body', async (t) => {
  const client = await RawClient.open(gateway.port)
  for (const byte of good) client.send(byte)
  t.equal((await client.answer())?.status, 200)
  client.destroy()
})

t.test('a body that says it is too large is refused before it is sent', async (t) => {
  const client = await RawClient.open(gateway.port)
  client.send(head(100_000))
  const answer = await client.answer()
  t.equal(answer?.status, 413)
  t.equal(reasonOf(answer?.body), 'body_too_large')
  client.send('x'.repeat(100_000))
  client.send(good)
  t.equal((await client.answer())?.status, 200, 'and its connection can be used when it is over')
  client.destroy()
})

t.test('a body at the limit passes, one byte more does not', async (t) => {
  const post = (length: number) =>
    sendRaw(gateway.port, requestText('POST', path, {}, call.padEnd(length)))
  t.equal((await post(bodyBytesMax))?.status, 200)
  t.equal((await post(bodyBytesMax + 1))?.status, 413)
})

t.test('what comes behind a body that is longer than declared is not part of it', async (t) => {
  const client = await RawClient.open(gateway.port)
  client.send(`${head(call.length)}${call}xxxx`)
  t.equal((await client.answer())?.status, 200)
  client.destroy()
  await serves(t)
  t.ok(upstream.received.every(({ body }) => body === call))
})

t.test('a refused request leaves its connection to the next', async (t) => {
  const client = await RawClient.open(gateway.port)
  for (let count = 0; count < 3; count++) {
    client.send(requestText('POST', badPath, {}, call))
    t.equal((await client.answer())?.status, 401)
    client.send(good)
    t.equal((await client.answer())?.status, 200)
  }
  client.destroy()
})

t.test(
  'beyond EXCHANGES_MAX requests are refused as overloaded, and then served again',
  async (t) => {
    const held: (() => void)[] = []
    upstream.answer = (request, response) => {
      held.push(() => echo(request, response))
    }
    const waiting = Array.from({ length: 6 }, () => sendRaw(gateway.port, good))
    await until(() => held.length === 6)
    const refused = await sendRaw(gateway.port, good)
    t.equal(refused?.status, 503)
    t.equal(refused?.headers['retry-after'], '01')
    t.equal(reasonOf(refused?.body), 'overloaded')
    for (const release of held) release()
    for (const answer of await Promise.all(waiting)) t.equal(answer?.status, 200)
    upstream.answer = echo
    await serves(t)
  }
)

t.test('a client that leaves at any moment leaves nothing behind', async (t) => {
  let reached = 0
  upstream.answer = () => {
    reached++
  }
  const moments: [string, string, () => Promise<void>][] = [
    ['before its head is complete', 'POST /api=', async () => undefined],
    ['before its body', head(call.length), async () => undefined],
    [
      'while its key is looked up',
      good.replace(tenant.secret, 'imported-key-1'),
      async () => undefined
    ],
    ['while the upstream works', good, () => until(() => reached === 1)]
  ]
  for (const [name, bytes, then] of moments) {
    const client = await RawClient.open(gateway.port)
    client.send(bytes)
    await then()
    client.socket.resetAndDestroy()
    t.pass(name)
  }
  await idle()
  upstream.answer = echo
  await serves(t)
  t.notMatch(gateway.output(), /a bug/)
})

t.test('a refusal carries the client’s id as it was written', async (t) => {
  const ids = {
    '1': '1',
    '-0': '-0',
    '1.50': '1.50',
    '1e400': '1e400',
    '123456789012345678901234567890': '123456789012345678901234567890',
    '"a\\"b\\u0000\\n\\\\"': '"a\\"b\\u0000\\n\\\\"',
    '"é日"': '"é日"',
    '""': '""',
    null: 'null',
    true: 'null',
    '{}': 'null',
    '[1]': 'null'
  }
  for (const [written, expected] of Object.entries(ids)) {
    for (const target of [badPath, path]) {
      // With a good key it is refused for its method, which is none.
      const init = { method: 'POST', body: `{"id":${written},"method":1}` }
      const text = await (await fetch(gateway.url + target, init)).text()
      t.ok(text.startsWith(`{"jsonrpc":"2.0","id":${expected},"error":`), `${written} in ${text}`)
    }
  }
  const absent = await sendRaw(gateway.port, requestText('POST', badPath, {}, '{"method":"x"}'))
  t.match(absent, { status: 401, body: '' }, 'without an id it is a notification: no reply')
})

t.test('a refused batch is answered with an error for each call that has an id', async (t) => {
  const batch =
    '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","method":"b"},{"id":"c","method":"c"},7]'
  for (const target of [badPath, path]) {
    const answer = await sendRaw(gateway.port, requestText('POST', target, {}, batch))
    const errors = JSON.parse(answer?.body ?? '')
    t.same(
      errors.map(({ id }: { id: unknown }) => id),
      [1, 'c', null]
    )
    const reason = target === path ? 'batch_too_large' : 'key_invalid'
    for (const { error } of errors) t.equal(error.data.reason, reason)
  }
})

t.test('a refused HEAD has no body, and is the last request of its connection', async (t) => {
  const client = await RawClient.open(gateway.port)
  client.send(requestText('HEAD', badPath))
  await client.sees('\r\n\r\n')
  t.match(client.received, /^HTTP\/1.1 401 /)
  t.match(client.received, /\r\nConnection: close\r\n/)
  t.ok(client.received.endsWith('\r\n\r\n'))
  client.send(good)
  await client.closed()
  client.destroy()
  t.equal(upstream.received.length, 0)
})

t.test('a browser may read every failure', async (t) => {
  const origin = { Origin: 'https://app.example' }
  const failures = [
    requestText('POST', badPath, origin, call),
    requestText('POST', path, origin, 'not json'),
    requestText('POST', path, { ...origin, 'Transfer-Encoding': 'chunked' }),
    requestText('POST', path, origin, 'x'.repeat(bodyBytesMax + 1)),
    requestText('OPTIONS', badPath, origin)
  ]
  for (const text of failures) {
    const answer = await sendRaw(gateway.port, text)
    t.ok((answer?.status ?? 0) >= 400)
    t.equal(answer?.headers['access-control-allow-origin'], '*')
    t.match(answer?.headers['access-control-expose-headers'], /X-Request-Id/)
  }
})

t.test('a preflight is answered without a key, and costs the upstream nothing', async (t) => {
  for (const target of [path, badPath, '/']) {
    const headers = { Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST' }
    const answer = await sendRaw(gateway.port, requestText('OPTIONS', target, headers))
    t.equal(answer?.status, 204)
    t.equal(answer?.headers['access-control-allow-origin'], '*')
  }
  t.equal(upstream.received.length, 0)
})
