// What a node answers that is no JSON-RPC answer never counts as success, and where no byte of it was sent the client
// gets an error with its own id, without a word of the operator's affairs. What is one passes as it came.
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { callErrors } from '../../drizzle/schema/index.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { type RawAnswer, requestText, sendRaw } from './support/raw-client.ts'
import { startRawUpstream } from './support/raw-upstream.ts'
import { createTenant, type Tenant } from './support/tenant.ts'
import { usageOf } from './support/usage.ts'

const db = await createTestDatabase()
const upstream = await startRawUpstream()
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { GATEWAY_THREADS: '1', USAGE_FLUSH_MS: '200', ANSWER_BUFFER_BYTES_MAX: '20000' }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})

const upstreamUrl = `${upstream.url}/v2/PROVIDERSECRET`
const call = '{"jsonrpc":"2.0","id":"mine","method":"eth_chainId"}'
const batch =
  '[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"eth_blockNumber"}]'
const okText = '{"jsonrpc":"2.0","id":"mine","result":"0x1"}'
const failedText =
  '{"jsonrpc":"2.0","id":"mine","error":{"code":-32601,"message":"no such method"}}'

interface NodeAnswer {
  readonly status?: string
  readonly lines?: readonly string[]
  readonly body?: string | Buffer
}

function answerWith({ status = '200 OK', lines = [], body = '' }: NodeAnswer): void {
  const head = [`HTTP/1.1 ${status}`, `Content-Length: ${Buffer.byteLength(body)}`, ...lines]
  upstream.answer = (socket) =>
    socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(body)]))
}

const ask = ({ secret }: Pick<Tenant, 'secret'>, body = call) =>
  sendRaw(gateway.port, requestText('POST', `/api=${secret}`, {}, body))

function isBadResponse(t: Test, answer: RawAnswer | null, name: string): void {
  t.equal(answer?.status, 502, name)
  const { id, error } = JSON.parse(answer?.body || '{}')
  t.match(error, { code: -32603, data: { reason: 'upstream_bad_response' } }, name)
  t.equal(id, 'mine', name)
  t.notMatch(answer?.head, /www-authenticate|location|retry-after/i)
  t.notMatch(`${answer?.head}${answer?.body}`, /provider/i)
}

async function usageIs(t: Test, tenant: Tenant, expected: Record<string, number>): Promise<void> {
  const { calls = 0 } = expected
  await until(async () => (await usageOf(db.database, tenant.endpointId)).calls >= calls)
  t.match(await usageOf(db.database, tenant.endpointId), expected)
}

const failedCallsOf = async ({ endpointId }: Tenant) =>
  await db.database.orm.select().from(callErrors).where(eq(callErrors.endpointId, endpointId))

const location = 'Location: https://provider.example/v2/PROVIDERSECRET/'
const challenge = 'WWW-Authenticate: Basic realm="provider"'
const page = '<html><body>provider: "result" and "error"</body></html>'
const gzipped = ['Content-Encoding: gzip']

const noAnswers: Record<string, NodeAnswer> = {
  'a redirect': { status: '301 Moved Permanently', lines: [location] },
  'a redirect with an answer': {
    status: '307 Temporary Redirect',
    lines: [location],
    body: okText
  },
  'not modified': { status: '304 Not Modified' },
  'an operator without access': {
    status: '403 Forbidden',
    lines: [challenge, 'Content-Type: text/plain'],
    body: 'Must be authenticated!'
  },
  'an operator who is not signed in': {
    status: '401 Unauthorized',
    lines: [challenge],
    body: failedText
  },
  'an operator who has not paid': { status: '402 Payment Required', body: failedText },
  'a proxy before the node': { status: '407 Proxy Authentication Required', body: 'provider' },
  'HTML in a 200': { lines: ['Content-Type: text/html'], body: page },
  'HTML in a 503': { status: '503 Service Unavailable', lines: ['Retry-After: 9'], body: page },
  'a text': { lines: ['Content-Type: application/json'], body: 'invalid host specified' },
  'a text in a 415': { status: '415 Unsupported Media Type', body: 'invalid content type' },
  'cut JSON': { body: '{"jsonrpc":"2.0","id":"mine","result":["0x1","0x2' },
  'JSON that is cut behind a brace': { body: '{"jsonrpc":"2.0","id":"mine","result":{"a":{}}' },
  'cut JSON of some length': { body: `{"jsonrpc":"2.0","result":["${'provider'.repeat(1000)}` },
  'JSON with something behind it': { body: `${okText}}` },
  nothing: {},
  'white space': { body: ' \r\n' },
  'no content': { status: '204 No Content' },
  'neither result nor error': { body: '{"jsonrpc":"2.0","id":"mine"}' },
  'a bare code and message': { body: '{"code":-32007,"message":"provider"}' },
  'no error after all': { body: '{"jsonrpc":"2.0","id":"mine","error":null}' },
  'an array for one call': { body: `[${okText}]` },
  null: { body: 'null' },
  'compressed HTML': { lines: gzipped, body: gzipSync(page) },
  'what is not compressed as it says': { lines: gzipped, body: okText },
  'a large page, compressed': {
    lines: [...gzipped, 'Content-Type: text/html; charset=utf-8'],
    body: gzipSync(Buffer.from(Array.from({ length: 20_000 }, (_, n) => (n * 7919 * n) % 251)))
  },
  'a page that would be streamed': { body: page.repeat(1000) },
  'a redirect that would be streamed': {
    status: '302 Found',
    lines: [location],
    body: `{"result":"${'provider'.repeat(5000)}"}`
  }
}

t.test('what is no answer to a call is a bad response, and counts as one', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl })
  const counted = () => gateway.metric('sluice_gateway_upstream_requests_total', tenant.upstreamId)
  const names = Object.entries(noAnswers)
  for (const [name, answer] of names) {
    answerWith(answer)
    isBadResponse(t, await ask(tenant), name)
  }
  const bad = gateway.metric(
    'sluice_gateway_upstream_requests_total',
    tenant.upstreamId,
    '"upstream_bad_response"'
  )
  t.equal(await bad, names.length)
  t.equal(await counted(), names.length)
  const calls = names.length
  await usageIs(t, tenant, { calls, upstream_error: calls, ok: 0, client_error: 0, rpc_errors: 0 })
  const [failed] = await failedCallsOf(tenant)
  t.match(failed, { reason: 'upstream_bad_response', status: 502, upstreamId: tenant.upstreamId })
  t.match(gateway.output(), /"code":"status_403"/, 'the operator is told')
  t.notMatch(gateway.output(), /PROVIDERSECRET/)
})

t.test(
  'a client is told the status of the node where it is not the operator’s business',
  async (t) => {
    const tenant = await createTenant(db.database, { upstreamUrl, chain: { kind: 'jsonrpc' } })
    answerWith({ status: '413 Content Too Large', body: 'content length too large' })
    t.match((await ask(tenant))?.body, /"detail":"The node answered with status 413, and not/)
    answerWith({ body: page })
    t.match((await ask(tenant))?.body, /"detail":"The node answered, but not with JSON-RPC."/)
    answerWith({ status: '403 Forbidden', body: 'Must be authenticated!' })
    t.notMatch((await ask(tenant))?.body, /403|detail/)
  }
)

const answers: Record<string, NodeAnswer> = {
  'a result': { body: okText },
  'a result of null': { body: '{"jsonrpc":"2.0","id":"mine","result":null}' },
  'a result with an error of null': { body: '{"result":7,"error":null,"id":"mine"}' },
  'a result of some length': { body: `{"id":"mine","result":["${'x'.repeat(5000)}"]}\n` },
  'a result that is streamed': { body: `{"id":"mine","result":["${'x'.repeat(50_000)}"]}\n` },
  'a compressed result': { lines: ['Content-Encoding: br'], body: brotliCompressSync(okText) },
  'a 201': { status: '201 Created', body: okText }
}

t.test('a result passes as it came, and counts as one', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl })
  for (const [name, answer] of Object.entries(answers)) {
    answerWith(answer)
    const received = await ask(tenant)
    t.equal(received?.status, Number((answer.status ?? '200').slice(0, 3)), name)
    t.equal(received?.body, Buffer.from(answer.body ?? '').toString('latin1'), name)
  }
  const calls = Object.keys(answers).length
  await usageIs(t, tenant, { calls, ok: calls, rpc_errors: 0 })
})

t.test('an error of the node passes as it came, under the status that it has', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl })
  for (const status of [
    '200 OK',
    '400 Bad Request',
    '404 Not Found',
    '500 Internal Server Error'
  ]) {
    answerWith({ status, body: failedText })
    const received = await ask(tenant)
    t.equal(received?.status, Number(status.slice(0, 3)))
    t.equal(received?.body, failedText)
  }
  await usageIs(t, tenant, { calls: 4, ok: 1, client_error: 2, upstream_error: 1, rpc_errors: 4 })
})

t.test('a 429 of the node passes as it came, whatever is in it', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl })
  for (const body of [failedText, page, '', '{"code":1}']) {
    answerWith({ status: '429 Too Many Requests', lines: ['Retry-After: 3'], body })
    const received = await ask(tenant)
    t.equal(received?.status, 429)
    t.equal(received?.headers['retry-after'], '3')
    t.equal(received?.body, body)
  }
})

t.test('a notification is answered with nothing, and that is right', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl })
  for (const text of [
    '{"jsonrpc":"2.0","method":"eth_x"}',
    '[{"jsonrpc":"2.0","method":"eth_x"}]'
  ]) {
    for (const status of ['200 OK', '202 Accepted', '204 No Content']) {
      answerWith({ status })
      const received = await ask(tenant, text)
      t.equal(received?.status, Number(status.slice(0, 3)))
      t.equal(received?.body, '')
    }
  }
  await usageIs(t, tenant, { calls: 6, ok: 6 })
})

t.test('one error for a batch passes as it came, and is that of each call', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl })
  const body =
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"daily count exceeded"}}'
  answerWith({ body })
  const received = await ask(tenant, batch)
  t.equal(received?.status, 200)
  t.equal(received?.body, body)
  await usageIs(t, tenant, { calls: 2, rpc_errors: 2 })
  await until(async () => (await failedCallsOf(tenant)).length === 2)
  t.same(
    (await failedCallsOf(tenant)).map(({ code, reason }) => [code, reason]),
    [
      [-32005, 'upstream'],
      [-32005, 'upstream']
    ]
  )
})

t.test('beside calls that were refused here it is given to each of the others', async (t) => {
  const tenant = await createTenant(db.database, {
    upstreamUrl,
    endpoint: { allowedMethods: ['eth_chainId', 'eth_blockNumber'] }
  })
  answerWith({ body: '{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"daily"}}' })
  const mixed = `${batch.slice(0, -1)},{"jsonrpc":"2.0","id":3,"method":"debug_x"}]`
  const received = JSON.parse((await ask(tenant, mixed))?.body ?? '')
  t.match(received, [
    { id: 1, error: { code: -32005, message: 'daily' } },
    { id: 2, error: { code: -32005 } },
    { id: 3, error: { code: -32004 } }
  ])
  t.equal(received.length, 3)
})

t.test('a batch that is not answered as one is a bad response for each of its calls', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl })
  const texts = [
    '[]',
    '[1]',
    '',
    page,
    '{"jsonrpc":"2.0","id":1,"result":"0x1"}',
    '[{"id":1,"result":1}'
  ]
  for (const body of texts) {
    answerWith({ body })
    const received = await ask(tenant, batch)
    t.equal(received?.status, 502, body)
    t.match(JSON.parse(received?.body ?? ''), [
      { id: 1, error: { data: { reason: 'upstream_bad_response' } } },
      { id: 2, error: { data: { reason: 'upstream_bad_response' } } }
    ])
  }
  await usageIs(t, tenant, { calls: 2 * texts.length, upstream_error: 2 * texts.length, ok: 0 })
})

t.test('a call that its batch does not answer failed at the node', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl })
  const body = '[{"jsonrpc":"2.0","id":2,"result":"0x1"}]'
  answerWith({ body })
  t.equal((await ask(tenant, batch))?.body, body)
  await usageIs(t, tenant, { calls: 2, ok: 1, upstream_error: 1, rpc_errors: 0 })
})

t.test(
  'a streamed answer that ends in the middle of its JSON counts as a bad response',
  async (t) => {
    const tenant = await createTenant(db.database, { upstreamUrl })
    const body = `{"jsonrpc":"2.0","id":"mine","result":["${'x'.repeat(50_000)}`
    answerWith({ body })
    t.equal((await ask(tenant))?.body, body, 'its beginning was already sent')
    const chunked = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`
    upstream.answer = (socket) => socket.write(`${chunked}${body}\r\n0\r\n\r\n`)
    t.equal((await ask(tenant))?.body, body)
    await usageIs(t, tenant, { calls: 2, ok: 0, upstream_error: 2 })
  }
)

t.test('on a rest chain every answer passes', async (t) => {
  const tenant = await createTenant(db.database, { upstreamUrl, chain: { kind: 'rest' } })
  for (const [name, { status = '200 OK', body = '' }] of Object.entries(noAnswers)) {
    if (status.startsWith('304') || status.startsWith('204')) continue
    answerWith({ status, body })
    const received = await ask(tenant)
    t.equal(received?.status, Number(status.slice(0, 3)), name)
    t.equal(received?.body, Buffer.from(body).toString('latin1'))
  }
})
