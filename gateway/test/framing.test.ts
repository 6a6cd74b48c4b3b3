// Requests that are meant to be read in two ways. Whatever the bytes, the gateway refuses or closes, the upstream sees at
// most one request, and the next client is served.
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const call = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
const length = call.length

const db = await createTestDatabase()
const upstream = await startUpstream((_request, response) =>
  response.end('{"jsonrpc":"2.0","id":1,"result":true}')
)
const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
const rest = await createTenant(db.database, { upstreamUrl: upstream.url, chain: { kind: 'rest' } })
// No refusal waits for the deadline of an exchange: a test would not wait so long.
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { UPSTREAM_TIMEOUT_MS: '600000' }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})
t.beforeEach(() => {
  upstream.received.length = 0
})

const path = `/api=${tenant.secret}`
/** A POST of `call` (or another body) under just these header lines. */
const post = (lines: readonly string[], body = call) =>
  `POST ${path} HTTP/1.1\r\nHost: gateway\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`
const smuggled = requestText('POST', path, { 'x-smuggled': '1' }, call)
const chunkedCall = `${length.toString(16)}\r\n${call}\r\n0\r\n\r\n`

/** How many of the requests that the attacks made reached the upstream, seen after a later client was served. */
async function reached(t: Test): Promise<number> {
  const next = await sendRaw(gateway.port, requestText('POST', path, { 'x-next': '1' }, call))
  t.equal(next?.status, 200, 'the next client is served')
  return upstream.received.filter(({ headers }) => headers['x-next'] === undefined).length
}

/** Each attack on a connection of its own, all at once: some end only when the gateway loses patience. */
async function refuses(t: Test, attacks: Readonly<Record<string, string>>) {
  await Promise.all(
    Object.entries(attacks).map(async ([name, bytes]) => {
      const answer = await sendRaw(gateway.port, bytes)
      t.ok(answer === null || answer.status >= 400, `${name}: ${answer?.status ?? 'closed'}`)
    })
  )
  t.equal(await reached(t), 0, 'nothing reaches the upstream')
}

t.test('a request with any Transfer-Encoding is refused, and soon', async (t) => {
  await refuses(t, {
    chunked: post(['Transfer-Encoding: chunked'], chunkedCall),
    'chunked and a length': post(
      ['Transfer-Encoding: chunked', `Content-Length: ${length}`],
      chunkedCall
    ),
    'a length and chunked': post(
      [`Content-Length: ${length}`, 'Transfer-Encoding: chunked'],
      chunkedCall
    ),
    'identity and a length': post(['Transfer-Encoding: identity', `Content-Length: ${length}`]),
    'identity and no body': post(['Transfer-Encoding: identity'], ''),
    xchunked: post(['Transfer-Encoding: xchunked'], chunkedCall),
    'a tab before it': post(['Transfer-Encoding:\tchunked'], chunkedCall),
    'in odd case': post(['tRANSFER-eNCODING: ChUnKeD'], chunkedCall),
    twice: post(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], chunkedCall),
    'a space before the colon': post(['Transfer-Encoding : chunked'], chunkedCall),
    'on a GET': `GET ${path} HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  })
})

t.test('a chunked call is answered with length_required, and its connection closed', async (t) => {
  const client = await RawClient.open(gateway.port)
  client.send(post(['Transfer-Encoding: chunked'], chunkedCall))
  const answer = await client.answer()
  t.equal(answer?.status, 411)
  t.equal(JSON.parse(answer?.body ?? '').error.data.reason, 'length_required')
  await client.closed()
  client.destroy()
})

t.test('a body method without exactly one plain Content-Length is refused', async (t) => {
  await refuses(t, {
    none: post([]),
    'two that differ': post([`Content-Length: ${length}`, 'Content-Length: 3']),
    'two that agree': post([`Content-Length: ${length}`, `Content-Length: ${length}`]),
    'two in one': post([`Content-Length: ${length}, ${length}`]),
    negative: post([`Content-Length: -${length}`]),
    plus: post([`Content-Length: +${length}`]),
    hex: post([`Content-Length: 0x${length.toString(16)}`]),
    fraction: post([`Content-Length: ${length}.0`]),
    empty: post(['Content-Length: ']),
    'longer than any body': post([`Content-Length: ${'9'.repeat(10)}`]),
    'with 11 digits': post([`Content-Length: ${String(length).padStart(11, '0')}`]),
    'beyond 64 bits': post([`Content-Length: 1${'0'.repeat(20)}`]),
    'two on a GET': `GET ${path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello`
  })
})

t.test('chunk sizes that a loose parser reads get nothing through', async (t) => {
  const sizes = ['g', ':', ';', '-1', '+1', '0x2f', '', ' 2f', 'ffffffffffffffff', '2f;a=b', '2f\n']
  await refuses(
    t,
    Object.fromEntries(
      sizes.map((size) => [
        JSON.stringify(size),
        post(['Transfer-Encoding: chunked'], `${size}\r\n${call}\r\n0\r\n\r\n${smuggled}`)
      ])
    )
  )
})

t.test('a request hidden behind chunks or trailers is never sent on', async (t) => {
  const chunked = ['Transfer-Encoding: chunked']
  await refuses(t, {
    'no CRLF after the data': post(chunked, `3\r\nabcXX0\r\n\r\n${smuggled}`),
    'a trailer that is a request line': post(chunked, `0\r\n${smuggled}`),
    'a trailer before it': post(chunked, `0\r\nX-Trailer: 1\r\n\r\n${smuggled}`),
    'right behind': post(chunked, chunkedCall + smuggled)
  })
})

t.test('a header line with an empty name cannot make a body of what is none', async (t) => {
  await refuses(t, {
    'before the length': post([': x', `Content-Length: ${length}`]),
    'before the length, as a request': post([': x', `Content-Length: ${smuggled.length}`], smuggled)
  })
  const hidden = [`Content-Length: ${length}`, ': x', 'Transfer-Encoding: chunked', 'X-Hidden: 1']
  await sendRaw(gateway.port, post(hidden))
  t.equal(await reached(t), 1, 'what is behind it does not count: the length before it does')
  t.equal(upstream.received[0]?.body, call)
  t.equal(upstream.received[0]?.headers['x-hidden'], undefined)
})

t.test('malformed heads are refused', async (t) => {
  const lengthLine = `Content-Length: ${length}`
  await refuses(t, {
    'obs-fold': post([lengthLine, 'X-A: b', ' c']),
    'a folded Transfer-Encoding': post(['X-A: b', '\tTransfer-Encoding: chunked', lengthLine]),
    'bare LF': post([lengthLine]).replaceAll('\r\n', '\n'),
    'bare LF in a header': post([lengthLine, 'X-A: b\nX-B: c']),
    'NUL in a value': post([lengthLine, 'X-A: b\0c']),
    'NUL in a name': post([lengthLine, 'X-\0A: c']),
    'a control character in a value': post([lengthLine, 'X-A: b\x01c']),
    'DEL in a value': post([lengthLine, 'X-A: b\x7fc']),
    'parentheses in a name': post([lengthLine, 'X(y): 1']),
    'a space in a name': post([lengthLine, 'X y: 1']),
    'no colon': post([lengthLine, 'foo']),
    'over 16 KB': post([lengthLine, `X-A: ${'a'.repeat(17_000)}`]),
    '150 headers': post([lengthLine, ...Array.from({ length: 150 }, (_, at) => `X-${at}: a`)]),
    'no Host': post([lengthLine]).replace('Host: gateway\r\n', ''),
    'two Hosts': post([lengthLine, 'Host: other'])
  })
})

t.test(
  'a bare CR in a header is no line end: the head goes on, and nothing is sent on',
  async (t) => {
    const client = await RawClient.open(gateway.port)
    client.send(post([`Content-Length: ${length}`, 'X-A: b\rX-B: c']))
    t.equal(await reached(t), 0)
    t.equal(client.received, '')
    client.destroy()
  }
)

t.test('other protocols and forms of a target are refused', async (t) => {
  const key = { 'x-api-key': rest.secret }
  const get = requestText('GET', '/', key)
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  await refuses(t, {
    'HTTP/1.0': get.replace('HTTP/1.1', 'HTTP/1.0'),
    'HTTP/2.0': get.replace('HTTP/1.1', 'HTTP/2.0'),
    'HTTP/0.9': 'GET /\r\n\r\n',
    'HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
    'absolute form': requestText('GET', 'http://elsewhere/x', key),
    'absolute form with the key': requestText('GET', `http://elsewhere/api=${rest.secret}/x`),
    asterisk: requestText('OPTIONS', '*', key),
    authority: requestText('CONNECT', 'elsewhere:443', key),
    'CONNECT to a path': requestText('CONNECT', '/elsewhere', key),
    'no slash': requestText('GET', 'elsewhere', key),
    'two spaces': requestText('GET', ' /', key),
    'a space in the target': requestText('GET', '/a b', key),
    'a method that is no token': requestText('GE(T', '/', key),
    'a WebSocket upgrade': requestText('GET', '/', {
      ...key,
      ...upgrade,
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ=='
    }),
    'a WebSocket upgrade without a key': requestText('GET', '/', { ...key, ...upgrade })
  })
})

t.test(
  'a target that could climb out of the upstream’s path, or be read otherwise, is refused',
  async (t) => {
    const targets = [
      '/..',
      '/../x',
      '/a/../b',
      '/a/..',
      '/./a',
      '/%2e%2e/x',
      '/%2E./x',
      '/.%2e',
      '/a%2f..%2fb',
      '/a/..%2fb',
      '/a%2F%2e%2e/b',
      '/..\\x',
      '/a\\..\\b',
      '/a%5c..%5cb',
      '/a\tb',
      '/a\0b',
      '/a\x01b',
      '/a\x7fb',
      '/a?b\x01',
      '/a#b',
      '/\xc3\xa9',
      '/a?\xc3\xa9',
      '/\xff'
    ]
    const attacks = targets.map((target) => [
      JSON.stringify(target),
      requestText('GET', `/api=${rest.secret}${target}`)
    ])
    await refuses(t, Object.fromEntries(attacks))
  }
)

t.test('an odd path that is nothing but a path goes on as it is', async (t) => {
  const targets = [
    '/...',
    '/a..b',
    '/.well-known/x',
    '//x',
    '/%2561',
    '/a;b=c',
    '/a?b=../c',
    "/(x)'"
  ]
  for (const target of targets) {
    const answer = await sendRaw(gateway.port, requestText('GET', `/api=${rest.secret}${target}`))
    t.equal(answer?.status, 200, target)
  }
  t.same(
    upstream.received.map(({ url }) => url),
    targets
  )
})

t.test('of pipelined requests at most the first reaches the upstream', async (t) => {
  const first = post([`Content-Length: ${length}`])
  await sendRaw(gateway.port, first + smuggled)
  t.ok((await reached(t)) <= 1)
  t.notOk(upstream.received.some(({ headers }) => 'x-smuggled' in headers))
  upstream.received.length = 0
  await sendRaw(gateway.port, first.repeat(200))
  t.ok((await reached(t)) <= 1, 'of 200 too')
})

t.test('requests one after the other on one connection are each answered', async (t) => {
  const client = await RawClient.open(gateway.port)
  for (let count = 0; count < 5; count++) {
    client.send(post([`Content-Length: ${length}`]))
    t.equal((await client.answer())?.status, 200)
  }
  client.destroy()
  t.equal(upstream.received.length, 5)
})

t.test('a client that half-closes neither hangs nor harms', async (t) => {
  const client = await RawClient.open(gateway.port)
  client.send(post([`Content-Length: ${length}`]))
  client.socket.end()
  await client.closed()
  const next = await sendRaw(gateway.port, post([`Content-Length: ${length}`]))
  t.equal(next?.status, 200)
})

t.test('after every attack the gateway is the same process, with nothing under way', async (t) => {
  t.equal(gateway.child.exitCode, null)
  t.notMatch(gateway.output(), /a bug/)
  t.equal((await gateway.readyz()).status, 200)
  t.equal(await gateway.metric('sluice_gateway_failures_total', 'internal'), 0)
  await until(async () => (await gateway.metric('sluice_gateway_exchanges')) === 0)
})
