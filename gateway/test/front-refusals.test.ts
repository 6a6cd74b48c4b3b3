// What HTTP says about a refusal, and heads that would mean another thing to whoever stands in front: each in the form in
// which a client, or a front, sent it.
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const call = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
const bodyBytesMax = 4096
const largeAnswer = 'x'.repeat(600_000)

const db = await createTestDatabase()
const upstream = await startUpstream((request, response) =>
  response.end(request.url === '/large' ? largeAnswer : '{"jsonrpc":"2.0","id":1,"result":"0x1"}')
)
const at = { upstreamUrl: upstream.url }
const evm = await createTenant(db.database, at)
const rest = await createTenant(db.database, { ...at, chain: { kind: 'rest' } })
const listed = await createTenant(db.database, {
  ...at,
  endpoint: { allowedIps: ['203.0.113.5', '2001:db8::/32'] }
})
const env = { REQUEST_BODY_BYTES_MAX: String(bodyBytesMax) }
const gateway = await startGateway({ databaseUrl: db.url, env })
const behind = await startGateway({
  databaseUrl: db.url,
  env: { ...env, TRUSTED_PROXIES: '127.0.0.0/8' }
})
t.teardown(async () => {
  await Promise.all([gateway.stop(), behind.stop()])
  await upstream.stop()
  await db.drop()
})
t.beforeEach(() => {
  upstream.received.length = 0
})

const evmPath = `/api=${evm.secret}`
const restPath = `/api=${rest.secret}`
const reasonOf = (body: string | undefined) => JSON.parse(body ?? '').error.data.reason
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

t.test('a 401 names a scheme for which no browser shows a password box', async (t) => {
  for (const target of ['/', '/api=slc_junk']) {
    const answer = await sendRaw(gateway.port, requestText('POST', target, {}, call))
    t.equal(answer?.status, 401)
    t.equal(answer?.headers['www-authenticate'], 'Bearer realm="sluice"')
  }
})

t.test('the key comes as the password or the user of Basic', async (t) => {
  for (const credentials of [`:${evm.secret}`, evm.secret, `${evm.secret}:`, `any:${evm.secret}`]) {
    const text = requestText('POST', '/', { Authorization: basic(credentials) }, call)
    t.equal((await sendRaw(gateway.port, text))?.status, 200, credentials.replace(evm.secret, 'K'))
  }
  t.ok(upstream.received.every(({ headers }) => headers.authorization === undefined))
  for (const value of [basic(':'), 'Basic', 'Basic ', 'Basic ***']) {
    const answer = await sendRaw(
      gateway.port,
      requestText('POST', '/', { Authorization: value }, call)
    )
    t.equal(answer?.status, 401)
  }
})

t.test('a wrong HTTP method is a 405 that says which are right', async (t) => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const body = method === 'PUT' ? call : ''
    const answer = await sendRaw(gateway.port, requestText(method, evmPath, {}, body))
    t.equal(answer?.status, 405)
    t.equal(reasonOf(answer?.body), 'http_method_not_allowed')
    t.equal(answer?.headers.allow, 'POST, OPTIONS')
  }
})

t.test('TRACE and CONNECT go nowhere, on any chain', async (t) => {
  for (const method of ['TRACE', 'CONNECT', 'trace']) {
    for (const path of [restPath, evmPath, `${restPath}/x`]) {
      const answer = await sendRaw(gateway.port, requestText(method, path))
      t.equal(answer?.status, 405, method)
      t.match(answer?.headers.allow, /^GET, HEAD, POST/)
    }
  }
  t.equal(upstream.received.length, 0)
})

t.test('a compressed call is a 415, and a compressed body of a rest chain goes on', async (t) => {
  const zipped = gzipSync(call).toString('latin1')
  const headers = { 'Content-Encoding': 'gzip' }
  const answer = await sendRaw(gateway.port, requestText('POST', evmPath, headers, zipped))
  t.equal(answer?.status, 415)
  t.equal(answer?.headers['accept-encoding'], 'identity')
  t.equal(reasonOf(answer?.body), 'unsupported_media_type')
  const passed = await sendRaw(gateway.port, requestText('POST', restPath, headers, zipped))
  t.equal(passed?.status, 200)
  const garbled = await sendRaw(gateway.port, requestText('POST', evmPath, {}, zipped))
  t.equal(garbled?.status, 400)
})

t.test('an empty or invalid Host is refused', async (t) => {
  const post = requestText('POST', evmPath, {}, call)
  for (const host of ['', 'bad host', 'a/b', 'a,b', '[::1', 'a:x', 'a@b', '<a>']) {
    const answer = await sendRaw(gateway.port, post.replace('Host: gateway', `Host: ${host}`))
    t.equal(answer?.status, 400, host)
  }
  t.equal(upstream.received.length, 0)
  for (const host of ['a', 'a.example:8080', '192.0.2.1', '[2001:db8::1]:443', 'a_b', 'xn--a:']) {
    const answer = await sendRaw(gateway.port, post.replace('Host: gateway', `Host: ${host}`))
    t.equal(answer?.status, 200, host)
  }
})

/** Sends `first`, takes its answer, sends `second`, and sees the connection end without another answer. */
async function endsAfter(t: Test, port: number, first: string, second: string): Promise<void> {
  const client = await RawClient.open(port)
  client.send(first)
  await client.sees('\r\n\r\n')
  client.send(second)
  await client.closed()
  client.destroy()
  t.equal(client.received.split('HTTP/1.1 ').length - 1, 1, 'one answer')
}

/** Resolves when the other side has ended the connection. */
async function closesOn(port: number, bytes: string): Promise<void> {
  const client = await RawClient.open(port)
  client.send(bytes)
  await client.closed()
  client.destroy()
}

t.test('Connection: close is obeyed in a list too', async (t) => {
  for (const value of ['close', 'TE, close', 'keep-alive, close', 'Close , TE']) {
    const post = requestText('POST', evmPath, { Connection: value }, call)
    await endsAfter(t, gateway.port, post, post)
  }
  t.equal(upstream.received.length, 4)
})

t.test('what an empty header name hides is never a request of its own', async (t) => {
  const hidden = requestText('GET', `${restPath}/smuggled`)
  const head = (method: string, target: string, line: string) =>
    `${method} ${target} HTTP/1.1\r\nHost: gateway\r\n: x\r\n${line}\r\n\r\n`
  const cases: Promise<void>[] = []
  for (const line of [`Content-Length: ${hidden.length}`, 'Transfer-Encoding: chunked']) {
    for (const method of ['GET', 'DELETE', 'HEAD', 'OPTIONS']) {
      cases.push(endsAfter(t, gateway.port, head(method, `${restPath}/one`, line), hidden))
    }
    for (const target of [`${restPath}/large`, evmPath, '/']) {
      cases.push(endsAfter(t, gateway.port, head('GET', target, line), hidden))
    }
    // In one segment too: answers that need no upstream must not let the parser go on.
    const preflight = `Origin: a\r\nAccess-Control-Request-Method: GET\r\n: x\r\n${line}`
    for (const lines of [`: x\r\n${line}`, preflight]) {
      const bytes = `OPTIONS / HTTP/1.1\r\nHost: gateway\r\n${lines}\r\n\r\n${hidden}`
      cases.push(closesOn(gateway.port, bytes))
    }
  }
  await Promise.all(cases)
  t.notOk(upstream.received.some(({ url }) => url?.includes('smuggled')))
})

t.test('a client that writes all before it reads sees the 413', async (t) => {
  for (const length of [bodyBytesMax + 1, 2_000_000]) {
    const client = await RawClient.open(gateway.port)
    const headers = { Connection: 'close' }
    client.send(requestText('POST', evmPath, headers, 'x'.repeat(length)).slice(0, -1))
    await new Promise((resolve) => client.socket.write('', resolve))
    t.equal(client.received, '', 'nothing closes while it writes')
    client.send('x')
    const answer = await client.answer()
    t.equal(answer?.status, 413)
    t.equal(reasonOf(answer?.body), 'body_too_large')
    client.destroy()
  }
})

t.test('an address in any form that proxies write opens an endpoint that lists it', async (t) => {
  const status = async (port: number, headers: Record<string, string>) =>
    (await sendRaw(port, requestText('POST', `/api=${listed.secret}`, headers, call)))?.status
  const good = ['203.0.113.5:41234', '[2001:db8::1]:443', '[2001:db8::1]', '"[2001:db8::1]:443"']
  for (const hop of good) {
    t.equal(await status(behind.port, { 'X-Forwarded-For': hop }), 200, hop)
    t.equal(await status(gateway.port, { 'X-Forwarded-For': hop }), 401, 'not from just anybody')
  }
  t.equal(await status(behind.port, { 'X-Forwarded-For': '198.51.100.1:1' }), 401)
  t.equal(await status(behind.port, { Forwarded: 'for="203.0.113.5:4711";proto=https' }), 200)
  t.equal(await status(gateway.port, { Forwarded: 'for=203.0.113.5' }), 401)
})

/** A PROXY protocol v2 header over IPv4 (version 2, command PROXY). */
function proxyHeader(lastOctet: number): string {
  const signature = '\r\n\r\n\0\r\nQUIT\n'
  const bytes = [0x21, 0x11, 0, 12, 203, 0, 113, lastOctet, 127, 0, 0, 1, 0xa1, 2, 0, 80]
  return signature + String.fromCharCode(...bytes)
}

t.test('PROXY protocol v2 names the client when a trusted balancer speaks it', async (t) => {
  const post = requestText('POST', `/api=${listed.secret}`, {}, call)
  t.equal((await sendRaw(behind.port, proxyHeader(5) + post))?.status, 200)
  t.equal((await sendRaw(behind.port, proxyHeader(6) + post))?.status, 401)
  t.equal((await sendRaw(behind.port, post))?.status, 401)
  t.equal((await sendRaw(gateway.port, proxyHeader(5) + post))?.status, 401, 'not from anybody')
})

t.test('a client behind the balancer cannot name another address in a later request', async (t) => {
  const forged =
    proxyHeader(5) + requestText('POST', `/api=${listed.secret}`, { 'x-forged': '1' }, call)
  const paths = [evmPath, `${restPath}/large`, '/', `/api=${listed.secret}`]
  await Promise.all(
    paths.flatMap((path) => {
      const first = proxyHeader(6) + requestText('POST', path, {}, call)
      return [endsAfter(t, behind.port, first, forged), closesOn(behind.port, first + forged)]
    })
  )
  t.notOk(upstream.received.some(({ headers }) => headers['x-forged'] === '1'))
})
