// Every row of the failure catalogue, produced from its real cause by a client.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { newApiKey } from '../../drizzle/api-key.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { createFailures, type Reason } from '../errors.ts'
import { freePorts, startGateway } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

interface ErrorBody {
  jsonrpc: string
  id: unknown
  error: { code: number; message: string; data: { reason: string; request_id: string } }
}

const failures = createFailures(402)
const untested = new Set<string>(Object.keys(failures))
const call = { jsonrpc: '2.0', id: 'my id', method: 'eth_blockNumber', params: [] }
const anHour = 3_600_000

const db = await createTestDatabase()
const upstream = await startUpstream()
const silent = createServer(() => undefined).listen(0, '127.0.0.1')
const garbled = createServer((socket) => socket.end('this is no HTTP\r\n\r\n')).listen(
  0,
  '127.0.0.1'
)
await Promise.all([once(silent, 'listening'), once(garbled, 'listening')])
const portOf = (server: typeof silent) => (server.address() as { port: number }).port
const [closedPort] = await freePorts(1)
const at = (url: string) => ({ upstreamUrl: url })
const good = await createTenant(db.database, at(upstream.url))
const gateway = await startGateway({
  databaseUrl: db.url,
  env: {
    UPSTREAM_TIMEOUT_MS: '400',
    BODY_IDLE_TIMEOUT_MS: '400',
    REQUEST_BODY_BYTES_MAX: '4096',
    BATCH_ITEMS_MAX: '3',
    UPSTREAM_CONNECTIONS_MAX: '1',
    UPSTREAM_QUEUE_MAX: '0'
  }
})
t.teardown(async () => {
  await gateway.stop()
  silent.close()
  garbled.close()
  await upstream.stop()
  await db.drop()
})

async function post(secret: string, body: unknown = call, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const init = { method: 'POST', body: text, headers }
  return await fetch(secret === '' ? gateway.url : `${gateway.url}/api=${secret}`, init)
}

/** Checks an answer against the row of the catalogue, and against the id that the client sent. */
async function expect(t: Test, response: Response, reason: Reason, id: unknown = 'my id') {
  untested.delete(reason)
  const { status, code, message } = failures[reason]
  t.equal(response.status, status, `${reason} is HTTP ${status}`)
  t.equal(response.headers.get('content-type'), 'application/json')
  const body = (await response.json()) as ErrorBody
  t.match(body, { jsonrpc: '2.0', error: { code, message, data: { reason } } })
  t.same(body.id, id)
  t.equal(body.error.data.request_id, response.headers.get('x-request-id'))
  return body.error.data as Record<string, unknown>
}

t.test('keys', async (t) => {
  await expect(t, await post(''), 'key_missing')
  await expect(t, await post('junk'), 'key_invalid')
  await expect(t, await post(newApiKey()), 'key_invalid')
  const ends = { expiresAt: new Date(Date.now() - 1000) }
  const expired = await createTenant(db.database, { ...at(upstream.url), key: ends })
  await expect(t, await post(expired.secret), 'key_expired')
  const revoked = await createTenant(db.database, { key: { revokedAt: new Date() } })
  await expect(t, await post(revoked.secret), 'key_revoked')
  const deleted = await createTenant(db.database, { endpoint: { deletedAt: new Date() } })
  await expect(t, await post(deleted.secret), 'key_revoked')
  const paused = await createTenant(db.database, { endpoint: { status: 'paused' } })
  await expect(t, await post(paused.secret), 'endpoint_disabled')
})

t.test('allowlists', async (t) => {
  const origins = await createTenant(db.database, {
    ...at(upstream.url),
    endpoint: { allowedOrigins: ['https://app.example'] }
  })
  await expect(t, await post(origins.secret), 'origin_not_allowed')
  const evil = { origin: 'https://evil.example' }
  await expect(t, await post(origins.secret, call, evil), 'origin_not_allowed')
  const allowed = await post(origins.secret, call, { origin: 'https://app.example' })
  t.equal(allowed.status, 200)

  const elsewhere = { allowedIps: ['10.0.0.0/8', '2001:db8::/32'] }
  const ips = await createTenant(db.database, { ...at(upstream.url), endpoint: elsewhere })
  await expect(t, await post(ips.secret), 'ip_not_allowed')
  const claimed = await post(ips.secret, call, { 'x-forwarded-for': '10.1.1.1' })
  await expect(t, claimed, 'ip_not_allowed')
  const here = { allowedIps: ['127.0.0.0/8'] }
  const local = await createTenant(db.database, { ...at(upstream.url), endpoint: here })
  t.equal((await post(local.secret)).status, 200)

  const methods = await createTenant(db.database, {
    ...at(upstream.url),
    endpoint: { allowedMethods: ['eth_chainId'] }
  })
  await expect(t, await post(methods.secret), 'method_not_allowed')
  t.equal((await post(methods.secret, { ...call, method: 'eth_chainId' })).status, 200)
})

t.test('bodies', async (t) => {
  for (const body of ['', '{', 'nope', '{"id":1,}', '\ufeff{}', '[1', '{"a":1}x']) {
    await expect(t, await post(good.secret, body), 'parse_error', null)
  }
  for (const body of ['1', '"x"', 'null', '[]', '{}']) {
    await expect(t, await post(good.secret, body), 'invalid_request', null)
  }
  const twice = '{"jsonrpc":"2.0","id":5,"method":"eth_call","Method":"debug_traceBlock"}'
  await expect(t, await post(good.secret, twice), 'invalid_request', 5)
  const other = await fetch(`${gateway.url}/api=${good.secret}`)
  await expect(t, other, 'http_method_not_allowed', null)
  const packed = { 'content-encoding': 'gzip' }
  await expect(t, await post(good.secret, '\x1f', packed), 'unsupported_media_type', null)
  const large = { ...call, params: ['x'.repeat(5000)] }
  await expect(t, await post(good.secret, large), 'body_too_large', null)
})

t.test(
  'a batch over the limit gets an error for each id, and none for a notification',
  async (t) => {
    const batch = [call, { ...call, id: 2 }, { ...call, id: null }, { ...call, id: undefined }]
    const response = await post(good.secret, batch)
    untested.delete('batch_too_large')
    t.equal(response.status, 400)
    const answers = (await response.json()) as ErrorBody[]
    t.same(
      answers.map(({ id }) => id),
      ['my id', 2, null]
    )
    t.ok(answers.every(({ error }) => error.data.reason === 'batch_too_large'))
  }
)

t.test('a body without a length', async (t) => {
  const stream = new Blob([JSON.stringify(call)]).stream()
  const init = { method: 'POST', body: stream, duplex: 'half' } as RequestInit
  const response = await fetch(`${gateway.url}/api=${good.secret}`, init)
  await expect(t, response, 'length_required')
})

t.test('a body that stops coming', async (t) => {
  const socket = connect(gateway.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(`POST /api=${good.secret} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{`)
  let text = ''
  for await (const piece of socket) text += piece
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const headers = head
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(': ') as [string, string])
  const status = Number(head.split(' ')[1])
  await expect(t, new Response(body, { status, headers }), 'body_timeout', null)
})

t.test('limits', async (t) => {
  const slow = await createTenant(db.database, {
    ...at(upstream.url),
    endpoint: { requestsPerSecond: 1, burst: 2 }
  })
  t.equal((await post(slow.secret)).status, 200)
  t.equal((await post(slow.secret)).status, 200)
  const limited = await post(slow.secret)
  t.equal(limited.headers.get('retry-after'), '01')
  t.equal(limited.headers.get('ratelimit'), '"endpoint";r=0;t=1')
  t.equal(limited.headers.get('ratelimit-policy'), '"endpoint";q=2;w=2')
  await expect(t, limited, 'rate_limited')
  const tooMuch = await post(slow.secret, [call, call, call])
  t.equal(tooMuch.headers.get('retry-after'), null, 'waiting does not help what costs too much')
  t.equal(tooMuch.status, 400)
  untested.delete('cost_too_high')

  const quota = await createTenant(db.database, {
    ...at(upstream.url),
    endpoint: { dailyQuota: 1 }
  })
  t.equal((await post(quota.secret)).status, 200)
  const exceeded = await post(quota.secret)
  t.equal(exceeded.headers.get('retry-after'), null)
  const data = await expect(t, exceeded, 'quota_exceeded')
  const resetsAt = Date.parse(String(data.resets_at))
  t.equal(resetsAt % (24 * anHour), 0, 'a quota starts anew at midnight in UTC')
  t.ok(resetsAt > Date.now() && resetsAt <= Date.now() + 24 * anHour)
})

t.test('upstreams', async (t) => {
  const failing = async (url: string | undefined, reason: Reason) => {
    const tenant = await createTenant(db.database, url === undefined ? {} : at(url))
    await expect(t, await post(tenant.secret), reason)
  }
  await failing(undefined, 'upstream_unavailable')
  await failing(`http://127.0.0.1:${closedPort}`, 'upstream_unavailable')
  await failing(`http://127.0.0.1:${portOf(garbled)}`, 'upstream_bad_response')
  await failing(`http://127.0.0.1:${portOf(silent)}`, 'upstream_timeout')

  const busy = await createTenant(db.database, at(`http://127.0.0.1:${portOf(silent)}`))
  const reached = once(silent, 'connection')
  const first = post(busy.secret)
  await reached
  const second = await post(busy.secret)
  t.equal(second.headers.get('retry-after'), '01')
  await expect(t, second, 'overloaded')
  t.equal((await first).status, 504)
})

t.test('a key that cannot be checked', async (t) => {
  const [port] = await freePorts(1)
  const url = `mysql://root@127.0.0.1:${port}/none`
  const lost = await startGateway({ databaseUrl: url, ready: false })
  t.teardown(() => lost.stop())
  let response: Response | null = null
  while (response === null) {
    const init = { method: 'POST', body: JSON.stringify(call) }
    response = await fetch(`${lost.url}/api=${good.secret}`, init).catch(() => null)
  }
  t.equal(response.headers.get('retry-after'), '01')
  await expect(t, response, 'key_store_unavailable')
  t.equal((await lost.readyz()).status, 503)
})

t.test('a gateway that shuts down', async (t) => {
  const ending = await startGateway({ databaseUrl: db.url, env: { UPSTREAM_TIMEOUT_MS: '5000' } })
  t.teardown(() => ending.stop())
  const waiting = await createTenant(db.database, at(`http://127.0.0.1:${portOf(silent)}`))
  // One request keeps the gateway from ending; the other comes on a connection that was open before.
  const reached = once(silent, 'connection')
  const pending = fetch(`${ending.url}/api=${waiting.secret}`, {
    method: 'POST',
    body: JSON.stringify({ ...call, method: 'eth_sendRawTransaction' })
  }).catch(() => undefined)
  const [held] = await reached
  const socket = connect(ending.port, '127.0.0.1')
  await once(socket, 'connect')
  const send = (secret: string) => {
    const body = JSON.stringify(call)
    socket.write(
      `POST /api=${secret} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    )
  }
  send(good.secret)
  await once(socket, 'data')
  ending.child.kill('SIGTERM')
  let text = ''
  while (!text.includes('draining')) {
    send(good.secret)
    const [piece] = await once(socket, 'data')
    text = String(piece)
  }
  untested.delete('draining')
  t.match(text, /^HTTP\/1.1 503 /)
  t.match(text, /Retry-After: 01/i)
  t.match(text, /"code":-32603/)
  held.destroy()
  await pending
})

t.test('every row of the catalogue but `internal` was produced', (t) => {
  // A bug has no cause that a client can bring about; pipeline-rescue.test.ts throws one.
  t.same([...untested], ['internal'])
  t.end()
})
