// The demo chain answers as a node does, misbehaves exactly as it is told, and does not forget what it received.
import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { startDemoChain } from '../demo-chain/demo-chain.ts'

let nowMs = Date.UTC(2026, 0, 1)
const chain = await startDemoChain({ port: 0, now: () => nowMs })
t.teardown(() => chain.stop())
t.beforeEach(() => chain.forgetReceived())

interface Answer {
  id: unknown
  result?: unknown
  error?: { code: number; message: string }
}

async function post(body: string, query = '') {
  const headers = { 'content-type': 'application/json' }
  return await fetch(`${chain.url}/${query}`, { method: 'POST', headers, body })
}

async function ask(method: string, params: unknown[] = [], query = ''): Promise<Answer> {
  const response = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }), query)
  return (await response.json()) as Answer
}

t.test('the block number grows with time, and blocks are linked', async (t) => {
  const before = Number((await ask('eth_blockNumber')).result)
  nowMs += 10_000
  const after = Number((await ask('eth_blockNumber')).result)
  t.equal(after, before + 5)
  const block = (await ask('eth_getBlockByNumber', ['latest', false])).result as Record<
    string,
    string
  >
  const parent = (await ask('eth_getBlockByNumber', [`0x${(after - 1).toString(16)}`, false]))
    .result as Record<string, string>
  t.equal(Number(block.number), after)
  t.equal(block.parentHash, parent.hash)
  t.equal((await ask('eth_getBlockByNumber', [`0x${(after + 1).toString(16)}`])).result, null)
})

t.test('the same question has the same answer', async (t) => {
  const address = `0x${'12'.repeat(20)}`
  t.same(
    await ask('eth_getBalance', [address, 'latest']),
    await ask('eth_getBalance', [address, 'latest'])
  )
  t.equal((await ask('eth_chainId')).result, '0x539')
  t.equal((await ask('net_version')).result, '1337')
  t.match((await ask('eth_call', [{ to: address, data: '0x01' }])).result, /^0x[0-9a-f]{64}$/)
  t.match((await ask('eth_sendRawTransaction', ['0x02f8'])).result, /^0x[0-9a-f]{64}$/)
})

t.test('errors are those of a node', async (t) => {
  const codes = async (method: string, params: unknown[] = []) =>
    (await ask(method, params)).error?.code
  t.equal(await codes('eth_nothing'), -32601)
  t.equal(await codes('eth_getBalance', ['0x12']), -32602)
  t.equal(await codes('eth_call', [{ to: '0x000000000000000000000000000000000000dEaD' }]), 3)
  t.match(await (await post('{')).json(), { id: null, error: { code: -32700 } })
  t.match(await (await post('[]')).json(), { id: null, error: { code: -32600 } })
  t.match(await (await post('{"id":5}')).json(), { id: 5, error: { code: -32600 } })
})

t.test('a batch is answered item by item, notifications not at all', async (t) => {
  const batch = [
    { jsonrpc: '2.0', id: 'a', method: 'eth_chainId' },
    { jsonrpc: '2.0', method: 'eth_chainId' },
    { jsonrpc: '2.0', id: null, method: 'eth_nothing' }
  ]
  const answers = (await (await post(JSON.stringify(batch))).json()) as Answer[]
  t.same(
    answers.map(({ id }) => id),
    ['a', null]
  )
})

t.test('size makes logs of about so many bytes', async (t) => {
  for (const bytes of [1000, 1_000_000]) {
    const body = '{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{}]}'
    const { length } = await (await post(body, `?size=${bytes}`)).text()
    t.ok(length >= bytes && length < bytes * 1.1 + 1000, `${length} bytes for ${bytes}`)
  }
})

t.test('it fails as it is told', async (t) => {
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
  t.equal((await post(body, '?fail=status:503')).status, 503)
  t.equal(await (await post(body, '?fail=html')).text().then((text) => text[0]), '<')
  for (const fail of ['refuse', 'garbage']) await t.rejects(post(body, `?fail=${fail}`), fail)
  for (const fail of ['reset', 'truncate']) {
    await t.rejects(
      post(body, `?fail=${fail}`).then((response) => response.text()),
      fail
    )
  }
  const silent = fetch(`${chain.url}/?fail=silent`, { signal: AbortSignal.timeout(300) })
  await t.rejects(silent, { name: 'TimeoutError' })
  t.equal((await post(body, '?fail=nonsense')).status, 400, 'a typing error is not a passing test')
  t.equal((await post(body, '?latency_ms=soon')).status, 400)
})

t.test('latency is at least what was asked for', async (t) => {
  const startedMs = performance.now()
  await ask('eth_chainId', [], '?latency_ms=120')
  t.ok(performance.now() - startedMs >= 119)
})

t.test('what arrived can be asked for, headers as they were on the wire', async (t) => {
  await fetch(`${chain.url}/some/path?a=1`, { headers: { 'X-Probe': 'yes' } })
  await ask('eth_chainId')
  await ask('eth_chainId')
  const response = await fetch(`${chain.url}/_received`)
  const totals = (await response.json()) as ReturnType<typeof chain.received>
  t.same(totals, chain.received())
  t.equal(totals.requests, 3)
  t.same(totals.methods, { eth_chainId: 2 })
  t.match(totals.last[0], { method: 'GET', path: '/some/path?a=1' })
  const headers = totals.last[0]?.raw_headers ?? []
  t.equal(headers[headers.indexOf('X-Probe') + 1], 'yes')
  t.match(totals.last[2]?.body, '"method":"eth_chainId"')

  await fetch(`${chain.url}/_received`, { method: 'DELETE' })
  t.equal(chain.received().requests, 0)
})

t.test('any other request is echoed, for chains whose API is REST', async (t) => {
  const response = await fetch(`${chain.url}/v1/blocks/latest?x=1`, { method: 'PUT', body: 'b' })
  t.match(await response.json(), { method: 'PUT', url: '/v1/blocks/latest?x=1', body: 'b' })
})

t.test('eth_subscribe tells new heads over a WebSocket until it is ended', async (t) => {
  const socket = new WebSocket(chain.url.replace('http', 'ws'))
  await once(socket, 'open')
  const next = async () => JSON.parse(String((await once(socket, 'message'))[0]))
  const request = async (method: string, params: unknown[]) => {
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 7, method, params }))
    return (await next()) as Answer
  }
  t.equal((await request('eth_chainId', [])).result, '0x539')
  t.equal((await request('eth_subscribe', ['logs'])).error?.code, -32602)
  const { result } = await request('eth_subscribe', ['newHeads'])
  const told = await next()
  t.equal(told.method, 'eth_subscription')
  t.equal(told.params.subscription, result)
  t.match(told.params.result.number, /^0x/)
  t.equal((await request('eth_unsubscribe', [result])).result, true)
  t.equal((await request('eth_unsubscribe', [result])).result, false)
  socket.close()
  await once(socket, 'close')
  t.equal(chain.received().web_sockets, 1)
})

t.test('heads are streamed as server-sent events', async (t) => {
  const controller = new AbortController()
  const response = await fetch(`${chain.url}/_events`, { signal: controller.signal })
  t.equal(response.headers.get('content-type'), 'text/event-stream')
  const reader = response.body?.getReader()
  const first = new TextDecoder().decode((await reader?.read())?.value)
  t.match(first, /^id: \d+\nevent: head\ndata: \{"number":"0x/)
  controller.abort()
})

t.test('a taken port is the system’s own error', async (t) => {
  await t.rejects(startDemoChain({ port: chain.port }), { code: 'EADDRINUSE' })
})
