import { gzipSync } from 'node:zlib'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { echo, startUpstream } from './support/upstream.ts'

const call = { jsonrpc: '2.0', id: 7, method: 'eth_blockNumber', params: [] }

const db = await createTestDatabase()
const upstream = await startUpstream()
const tenant = await createTenant(db.database, { upstreamUrl: `${upstream.url}/v3/secret?k=v` })
const rest = await createTenant(db.database, {
  upstreamUrl: upstream.url,
  chain: { kind: 'rest' }
})
const gateway = await startGateway({ databaseUrl: db.url })
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})
t.beforeEach(() => {
  upstream.received.length = 0
  upstream.answer = echo
})

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(gateway.url + path, { method: 'POST', body: JSON.stringify(body), headers })

t.test('a call goes to the upstream as it is, and its answer comes back', async (t) => {
  const response = await post(`/api=${tenant.secret}`, call)
  t.equal(response.status, 200)
  t.same(await response.json(), { jsonrpc: '2.0', id: 7, result: 'eth_blockNumber' })
  t.equal(upstream.received.length, 1)
  t.equal(upstream.received[0]?.method, 'POST')
  t.equal(upstream.received[0]?.body, JSON.stringify(call))
})

t.test('the path and query behind the key are added to those of the upstream', async (t) => {
  await post(`/api=${tenant.secret}`, call)
  await post(`/api=${tenant.secret}/`, call)
  await post(`/api=${tenant.secret}/ext/bc/C/rpc`, call)
  await post(`/api=${tenant.secret}/a%20b?x=1&y=%2F`, call)
  await post(`/api=${tenant.secret}?x=1`, call)
  t.same(
    upstream.received.map(({ url }) => url),
    [
      '/v3/secret?k=v',
      '/v3/secret?k=v',
      '/v3/secret/ext/bc/C/rpc?k=v',
      '/v3/secret/a%20b?x=1&y=%2F&k=v',
      '/v3/secret?x=1&k=v'
    ]
  )
})

t.test('the key may come as X-API-Key or as a bearer token, on any path', async (t) => {
  for (const headers of [
    { 'x-api-key': tenant.secret },
    { authorization: `Bearer ${tenant.secret}` },
    { authorization: `bearer ${tenant.secret}` }
  ]) {
    const response = await post('/some/path', call, headers as Record<string, string>)
    t.equal(response.status, 200)
  }
  t.equal(upstream.received.length, 3)
  for (const request of upstream.received) {
    t.equal(request.url, '/v3/secret/some/path?k=v')
    t.notMatch(JSON.stringify(request), tenant.secret, 'the key does not go upstream')
  }
})

t.test('end-to-end headers pass in both directions, hop-by-hop headers in none', async (t) => {
  upstream.answer = (_request, response) => {
    response.writeHead(201, 'Made', {
      'x-node': 'a',
      'set-cookie': ['a=1', 'b=2'],
      'keep-alive': 'timeout=99',
      'x-hop': 'no',
      connection: 'keep-alive, x-hop',
      'content-type': 'application/json; charset=utf-8'
    })
    response.end('{"result":true}')
  }
  const response = await post(`/api=${tenant.secret}`, call, {
    'x-custom': 'kept',
    'user-agent': 'ethers',
    'content-type': 'application/json',
    te: 'trailers',
    cookie: 'session=portal'
  })
  t.equal(response.status, 201)
  t.equal(response.headers.get('x-node'), 'a')
  t.same(response.headers.getSetCookie(), [], 'a cookie would be one of the gateway’s origin')
  t.equal(response.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(response.headers.get('x-hop'), null)
  t.equal(response.headers.get('keep-alive'), null)
  t.equal(await response.text(), '{"result":true}')
  const { headers = {} } = upstream.received[0] ?? {}
  t.equal(headers['x-custom'], 'kept')
  t.equal(headers['user-agent'], 'ethers')
  t.equal(headers.te, undefined)
  t.equal(headers.cookie, undefined, 'a cookie of another service on this host stays here')
  t.equal(headers.host, new URL(upstream.url).host)
})

t.test('a request id is kept when it is a good one and made when it is not', async (t) => {
  const kept = await post(`/api=${tenant.secret}`, call, { 'x-request-id': 'my-request_01' })
  t.equal(kept.headers.get('x-request-id'), 'my-request_01')
  t.equal(upstream.received[0]?.headers['x-request-id'], 'my-request_01')
  for (const bad of ['short', 'has space in it', 'x'.repeat(65), 'né-1234567']) {
    const made = await post(`/api=${tenant.secret}`, call, { 'x-request-id': bad })
    t.match(made.headers.get('x-request-id'), /^[A-Za-z0-9_-]{8,64}$/)
    t.not(made.headers.get('x-request-id'), bad)
  }
})

t.test('status, body and encoding of the upstream come back unchanged', async (t) => {
  const error = '{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"no"}}'
  const chains = [
    [rest, 'any text'],
    [tenant, error]
  ] as const
  for (const [{ secret }, body] of chains) {
    for (const status of [200, 202, 400, 404, 418, 429, 500, 503]) {
      upstream.answer = (_request, response) => {
        response.writeHead(status, { 'content-encoding': 'gzip' })
        response.end(gzipSync(body))
      }
      const response = await post(`/api=${secret}`, call)
      t.equal(response.status, status)
      t.equal(await response.text(), body)
    }
  }
})

t.test('a REST chain takes any method, and passes path, query and body as they are', async (t) => {
  upstream.answer = ({ method }, response) => {
    response.setHeader('content-type', 'text/plain')
    response.end(method === 'HEAD' ? undefined : `did ${method}`)
  }
  for (const method of ['GET', 'DELETE', 'HEAD', 'OPTIONS']) {
    const response = await fetch(`${gateway.url}/api=${rest.secret}/eth/v1/x?a=b`, { method })
    t.equal(response.status, 200)
    t.equal(await response.text(), method === 'HEAD' ? '' : `did ${method}`)
  }
  for (const method of ['POST', 'PUT', 'PATCH']) {
    const init = { method, body: 'not json' }
    const response = await fetch(`${gateway.url}/api=${rest.secret}/eth/v1/x?a=b`, init)
    t.equal(await response.text(), `did ${method}`)
  }
  t.ok(upstream.received.every(({ url }) => url === '/eth/v1/x?a=b'))
  t.equal(upstream.received.at(-1)?.body, 'not json')
})

t.test('a large answer arrives whole, with and without a declared length', async (t) => {
  const large = 'x'.repeat(3_000_000)
  upstream.answer = ({ url }, response) => {
    if (url.includes('declared')) response.setHeader('content-length', large.length)
    response.write(large.slice(0, 1_000_000))
    response.end(large.slice(1_000_000))
  }
  for (const target of ['declared', 'chunked']) {
    const response = await fetch(`${gateway.url}/api=${rest.secret}/${target}`)
    t.equal((await response.text()).length, large.length)
    t.equal(response.headers.get('content-length'), target === 'declared' ? '3000000' : null)
  }
})

t.test('a batch goes up in one piece, and its answers come back', async (t) => {
  const batch = [call, { ...call, id: 'b', method: 'eth_chainId' }, { jsonrpc: '2.0', method: 'x' }]
  const response = await post(`/api=${tenant.secret}`, batch)
  t.equal(response.status, 200)
  t.same(
    ((await response.json()) as { id: unknown }[]).map(({ id }) => id),
    [7, 'b', undefined]
  )
  t.equal(upstream.received.length, 1)
  t.equal(upstream.received[0]?.body, JSON.stringify(batch))
})

t.test('in a batch only the items that are wrong fail, each with its own id', async (t) => {
  const limited = await createTenant(db.database, {
    upstreamUrl: upstream.url,
    endpoint: { allowedMethods: ['eth_blockNumber'] }
  })
  const batch = [
    call,
    { ...call, id: 'forbidden', method: 'debug_traceBlock' },
    { jsonrpc: '2.0', id: 'nameless' },
    1
  ]
  await t.test('next to items that pass', async (t) => {
    const response = await post(`/api=${limited.secret}`, batch)
    t.equal(response.status, 200)
    const answers = (await response.json()) as unknown[]
    t.match(answers, [
      { id: 7, result: 'eth_blockNumber' },
      { id: 'forbidden', error: { code: -32004, data: { reason: 'method_not_allowed' } } },
      { id: 'nameless', error: { code: -32600, data: { reason: 'invalid_request' } } },
      { id: null, error: { code: -32600, data: { reason: 'invalid_request' } } }
    ])
    t.equal(answers.length, 4)
    t.equal(upstream.received[0]?.body, JSON.stringify([call]))
  })
  await t.test('and alone, without the upstream', async (t) => {
    upstream.received.length = 0
    const response = await post(`/api=${limited.secret}`, batch.slice(1))
    t.equal(response.status, 200)
    t.equal(((await response.json()) as unknown[]).length, 3)
    t.equal(upstream.received.length, 0)
  })
})

t.test('browsers may call from any origin, and a preflight costs nothing', async (t) => {
  const preflight = await fetch(`${gateway.url}/api=${tenant.secret}`, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' }
  })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers.get('access-control-allow-origin'), '*')
  t.match(preflight.headers.get('access-control-allow-methods'), /POST/)
  t.equal(upstream.received.length, 0)
  const response = await post(`/api=${tenant.secret}`, call, { origin: 'https://app.example' })
  t.equal(response.headers.get('access-control-allow-origin'), '*')
})

t.test('the log never holds a key, whichever way it came', (t) => {
  t.notMatch(gateway.output(), tenant.secret)
  t.notMatch(gateway.output(), '/v3/secret')
  t.end()
})
