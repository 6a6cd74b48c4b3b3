// What belongs to one hop stays on it: the client's key ends at the gateway, hop-by-hop headers end where they came
// from, and no value from either side can add a line to a head.
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { requestText, sendRaw } from './support/raw-client.ts'
import { answerText, okAnswer, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const call = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'

const db = await createTestDatabase()
const upstream = await startRawUpstream()
const tenant = await createTenant(db.database, { upstreamUrl: `${upstream.url}/provider-key` })
const { secret } = tenant
const gateway = await startGateway({ databaseUrl: db.url, env: { LOG_LEVEL: 'debug' } })
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})
t.beforeEach(() => {
  upstream.requests.length = 0
  upstream.answer = (socket) => socket.write(okAnswer)
})

const path = `/api=${secret}`
const post = (target: string, headers: Record<string, string> = {}) =>
  sendRaw(gateway.port, requestText('POST', target, headers, call))
const upstreamSaw = () => upstream.requests.map(({ head, body }) => head + body).join('\n')

/** The header lines of the answer to a call, when the upstream answers with `lines` of its own. */
async function linesReturned(t: Test, lines: readonly string[]): Promise<string[]> {
  upstream.answer = (socket) =>
    socket.write(Buffer.from(answerText('{"result":1}', lines), 'latin1'))
  const answer = await post(path)
  t.equal(answer?.status, 200)
  return (answer?.head ?? '').split('\r\n').slice(1)
}

t.test('the client’s key does not reach the upstream, whichever way it came', async (t) => {
  const forms: [string, Record<string, string>][] = [
    [path, {}],
    [`${path}/x/y?z=1`, {}],
    ['/x', { 'X-API-Key': secret }],
    ['/x', { Authorization: `Bearer ${secret}` }],
    ['/x', { Authorization: `bEARER  ${secret}` }],
    [path, { 'X-API-Key': secret, Authorization: `Bearer ${secret}` }],
    [path, { Authorization: `Basic ${secret}`, Cookie: `key=${secret}` }],
    [path, { 'Proxy-Authorization': secret }],
    [path, { Referer: `https://gateway${path}`, 'X-Original-URI': path, 'X-Api_Key': secret }]
  ]
  for (const [target, headers] of forms) {
    t.equal((await post(target, headers))?.status, 200, `${target} ${JSON.stringify(headers)}`)
  }
  t.equal(upstream.requests.length, forms.length)
  t.notMatch(upstreamSaw(), secret)
})

t.test('a key that would go on in a path or query is refused', async (t) => {
  for (const target of [`${path}/api=${secret}`, `${path}?api_key=${secret}`]) {
    t.equal((await post(target))?.status, 400, target)
  }
  t.equal((await post(`/x${path}`, { 'X-API-Key': secret }))?.status, 400)
  t.equal(upstream.requests.length, 0)
})

t.test('no log line holds a key or the URL of an upstream, when all goes wrong too', async (t) => {
  upstream.answer = (socket) => socket.destroy()
  t.equal((await post(path))?.status, 502)
  t.equal((await post(`/x`, { 'X-API-Key': secret }))?.status, 502)
  const badUrl = 'not a url with a provider-key'
  await tenant.updateUpstream(badUrl)
  upstream.answer = (socket) => socket.write(okAnswer)
  await until(async () => (await post(path))?.status === 502)
  t.match(gateway.output(), /an upstream is unusable/)
  await tenant.updateUpstream(`${upstream.url}/provider-key`)
  await until(async () => (await post(path))?.status === 200)
  t.notMatch(gateway.output(), secret)
  t.notMatch(gateway.output(), 'provider-key')
})

t.test('headers that Connection names end at the gateway, in both directions', async (t) => {
  await post(path, {
    Connection: 'keep-alive, X-Hop , x-OTHER',
    'X-Hop': '1',
    'x-other': '2',
    'X-Kept': '3',
    'Keep-Alive': 'timeout=5',
    TE: 'trailers',
    Trailer: 'X-T',
    'Proxy-Connection': 'keep-alive',
    Upgrade: 'h2c',
    Expect: '100-continue'
  })
  const names = (upstream.requests[0]?.head ?? '')
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(':')[0]?.toLowerCase())
  t.same(names.sort(), ['connection', 'content-length', 'host', 'x-kept', 'x-request-id'])

  const returned = await linesReturned(t, [
    'Connection: X-Hop, keep-alive',
    'Connection: X-oTHER',
    'X-Hop: 1',
    'x-other: 2',
    'Keep-Alive: timeout=5',
    'Proxy-Authenticate: Basic',
    'X-Kept: 3'
  ])
  t.ok(returned.some((line) => line.toLowerCase() === 'x-kept: 3'))
  t.notMatch(returned.join('\n').toLowerCase(), /x-hop|x-other|keep-alive|proxy-/)
})

t.test('a client makes no claim of who it is or what it asks for', async (t) => {
  const names = ['X_Forwarded_For', 'X_Real_IP', 'Content_Type', 'X-Original-URL', 'X-Rewrite-URL']
  names.push('X-HTTP-Method-Override', 'True-Client-IP', 'CF-Connecting-IP', 'X-Client-IP')
  names.push('X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Forwarded-Host', 'X-Forwarded-For')
  const claims = Object.fromEntries(names.map((name) => [name, '1.2.3.4']))
  t.equal((await post(path, { ...claims, 'X-Kept': '1' }))?.status, 200)
  const head = (upstream.requests[0]?.head ?? '').toLowerCase()
  t.match(head, 'x-kept: 1')
  t.notMatch(head, '1.2.3.4')
})

t.test('values beyond ASCII go on as the bytes they came as', async (t) => {
  const utf8 = Buffer.from('a é 日 z').toString('latin1')
  await post(path, { 'X-App': utf8 })
  t.match(upstream.requests[0]?.head.toLowerCase(), `x-app: ${utf8}`.toLowerCase())
  const returned = await linesReturned(t, [`X-Node: ${utf8}`, 'X-Latin: a\xe9b', 'X-Tab: a\tb'])
  t.ok(returned.includes(`x-node: ${utf8}`))
  t.ok(returned.includes('x-latin: a\xe9b'))
  t.ok(returned.includes('x-tab: a\tb'))
})

t.test('a value with control characters adds no line to the answer', async (t) => {
  for (const value of ['a\x01b', 'a\x7fb', 'a\rX-Injected: 1', 'a\0b', 'a\x0bb']) {
    upstream.answer = (socket) =>
      socket.end(
        Buffer.from(answerText('{"result":1}', [`X-Odd: ${value}`, 'X-Last: 1']), 'latin1')
      )
    const answer = await post(path)
    t.ok(answer?.status === 200 || answer?.status === 502, JSON.stringify(value))
    t.notMatch(answer?.head, /injected|x-odd/i)
  }
})

t.test('a request id is one line, and never the client’s when it is odd', async (t) => {
  for (const id of [
    'a\tbcdefgh',
    'abcdefgh%0d%0aX-Injected: 1',
    'abcdefgh, abcdefgh',
    '"abcdefgh"'
  ]) {
    const answer = await post(path, { 'X-Request-Id': id })
    t.match(answer?.headers['x-request-id'], /^[A-Za-z0-9_-]{8,64}$/)
    t.notMatch(answer?.head, /injected|abcdefgh/i)
  }
})

t.test('what the gateway says of itself cannot be overwritten by the upstream', async (t) => {
  const returned = await linesReturned(t, [
    'X-Request-Id: from-upstream',
    'Access-Control-Allow-Origin: https://evil.example'
  ])
  const text = returned.join('\n').toLowerCase()
  t.notMatch(text, /from-upstream|evil/)
  t.equal(text.match(/content-length/g)?.length, 1)
})
