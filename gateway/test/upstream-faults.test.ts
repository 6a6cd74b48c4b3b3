// Every way in which a node fails, from its real cause: the client gets one clear answer in time, and never a complete
// 200 that is not one.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { spawn } from '../../scripts/test/support/processes.ts'
import { freePorts, startGateway, until } from './support/gateway-process.ts'
import { type RawAnswer, requestText, sendRaw } from './support/raw-client.ts'
import { answerText, okAnswer, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant, type Tenant } from './support/tenant.ts'

const answerBytesMax = 400_000

const db = await createTestDatabase()
const upstream = await startRawUpstream()
const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
const start = (timeouts: Record<string, string>) =>
  startGateway({
    databaseUrl: db.url,
    env: {
      ANSWER_BUFFER_BYTES_MAX: '20000',
      ANSWER_BYTES_MAX: String(answerBytesMax),
      ...timeouts
    }
  })
// What a slow machine takes long for is no fault of the node; only the tests about silence wait for a deadline.
const gateway = await start({ UPSTREAM_TIMEOUT_MS: '600000', UPSTREAM_CONNECT_TIMEOUT_MS: '60000' })
const hasty = await start({ UPSTREAM_TIMEOUT_MS: '700', UPSTREAM_CONNECT_TIMEOUT_MS: '300' })
t.teardown(async () => {
  await Promise.all([gateway.stop(), hasty.stop()])
  await upstream.stop()
  await db.drop()
})
t.beforeEach(() => {
  upstream.requests.length = 0
  upstream.answer = (socket) => socket.write(okAnswer)
})

const call = '{"jsonrpc":"2.0","id":"mine","method":"eth_chainId"}'
const post = ({ secret }: Tenant = tenant, { port } = gateway) =>
  sendRaw(port, requestText('POST', `/api=${secret}`, {}, call))
const postHastily = (to: Tenant = tenant) => post(to, hasty)

/** A call passes through the hasty gateway: it knows the key, and waits for nobody. */
async function hastySettles(): Promise<void> {
  upstream.answer = (socket) => socket.write(okAnswer)
  await until(async () => (await postHastily())?.status === 200)
}

function failsWith(t: Test, answer: RawAnswer | null, status: number, reason: string): void {
  t.equal(answer?.status, status)
  const { id, error } = JSON.parse(answer?.body ?? '{}')
  t.equal(error?.data?.reason, reason)
  t.equal(id, 'mine')
}

/** How many requests to the upstream ended so. */
const counted = (result: string) =>
  hasty.metric('sluice_gateway_upstream_requests_total', tenant.upstreamId, `"${result}"`)

async function serves(t: Test): Promise<void> {
  upstream.answer = (socket) => socket.write(okAnswer)
  t.equal((await post())?.status, 200, 'the next call is served')
}

t.test('a node that refuses connections is unavailable', async (t) => {
  const [port] = await freePorts(1)
  const nobody = await createTenant(db.database, { upstreamUrl: `http://127.0.0.1:${port}` })
  failsWith(t, await post(nobody), 502, 'upstream_unavailable')
})

t.test('a node that does not accept connections is unavailable, in time', async (t) => {
  const script =
    "const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))"
  const node = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(node.stdout, 'data')
  const port = Number(line)
  node.kill('SIGSTOP')
  const fillers = Array.from({ length: 8 }, () => connect(port, '127.0.0.1'))
  await once(fillers[0] as Socket, 'connect')
  t.teardown(() => {
    for (const filler of fillers) filler.destroy()
    node.kill('SIGKILL')
  })
  const deaf = await createTenant(db.database, { upstreamUrl: `http://127.0.0.1:${port}` })
  const answer = await postHastily(deaf)
  t.ok(answer?.status === 502 || answer?.status === 504, String(answer?.status))
})

t.test('a connection that breaks before the answer makes the node unavailable', async (t) => {
  for (const end of ['destroy', 'end', 'resetAndDestroy'] as const) {
    upstream.answer = (socket) => socket[end]()
    failsWith(t, await post(), 502, 'upstream_unavailable')
  }
  await serves(t)
})

t.test('a short answer that breaks off is a failure', async (t) => {
  const heads = { declared: 'Content-Length: 100', chunked: 'Transfer-Encoding: chunked' }
  for (const [name, line] of Object.entries(heads)) {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      upstream.answer = (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n32\r\n{"jsonrpc"`)
        setImmediate(() => socket[end]())
      }
      failsWith(t, await post(), 502, 'upstream_bad_response')
    }
    t.pass(name)
  }
  await serves(t)
})

t.test('a long answer that breaks off closes the connection', async (t) => {
  for (const line of ['Content-Length: 100000', 'Transfer-Encoding: chunked']) {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      upstream.answer = (socket) => {
        const chunk = line.startsWith('Transfer') ? 'fde8\r\n' : ''
        const head = `HTTP/1.1 200 OK\r\n${line}\r\n\r\n${chunk}`
        socket.write(`${head}{${'x'.repeat(50_000)}`, () => socket[end]())
      }
      t.equal(await post(), null, `${line}, ${end}: no complete answer`)
    }
  }
  await serves(t)
})

t.test('a node that stays silent is given up at the deadline, and told so', async (t) => {
  await hastySettles()
  const before = await counted('upstream_timeout')
  let silent: Socket | undefined
  upstream.answer = (socket) => {
    silent = socket
  }
  failsWith(t, await postHastily(), 504, 'upstream_timeout')
  await until(() => silent?.destroyed === true)
  t.equal((await counted('upstream_timeout')) - before, 1, 'it counts as a timeout of the upstream')
  t.match(hasty.output(), /"reason":"upstream_timeout"/)
  await hastySettles()
})

t.test('a node that falls silent within its answer is given up', async (t) => {
  await hastySettles()
  upstream.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Le')
  failsWith(t, await postHastily(), 504, 'upstream_timeout')
  upstream.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{')
  failsWith(t, await postHastily(), 504, 'upstream_timeout')
  upstream.answer = (socket) =>
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{${'x'.repeat(50_000)}`)
  t.equal(await postHastily(), null, 'a long answer has begun: its connection is closed')
  await hastySettles()
})

t.test('what is not HTTP is a bad response', async (t) => {
  const garbage = [
    'garbage\r\n\r\n',
    '\x15\x03\x01\x00\x02\x02\x16',
    '{"jsonrpc":"2.0","id":"mine","result":1}',
    'HTTP/1.1 abc OK\r\n\r\n',
    'HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
    'HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n{}\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX-A: b\r\n c: d\0\r\n\r\n'
  ]
  for (const bytes of garbage) {
    upstream.answer = (socket) => socket.end(Buffer.from(bytes, 'latin1'))
    failsWith(t, await post(), 502, 'upstream_bad_response')
  }
  await serves(t)
})

t.test(
  'an answer with more than it declared ends where it declared, and harms no other',
  async (t) => {
    upstream.answer = (socket) => socket.write(`${okAnswer}HTTP/1.1 200 OK\r\nX-Poison: 1\r\n\r\n`)
    for (let count = 0; count < 5; count++) {
      const answer = await post()
      t.equal(answer?.status, 200)
      t.equal(answer?.headers['x-poison'], undefined)
      t.equal(answer?.body, '{"jsonrpc":"2.0","id":1,"result":"0x1"}')
    }
  }
)

t.test('an answer whose head is too large is a bad response', async (t) => {
  upstream.answer = (socket) => socket.write(answerText('{}', [`X-A: ${'a'.repeat(40_000)}`]))
  failsWith(t, await post(), 502, 'upstream_bad_response')
  await serves(t)
})

t.test('an answer over ANSWER_BYTES_MAX does not pass', async (t) => {
  const large = `{${'x'.repeat(answerBytesMax)}`
  upstream.answer = (socket) => socket.write(answerText(large))
  failsWith(t, await post(), 502, 'upstream_bad_response')
  upstream.answer = (socket) =>
    socket.end(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`
    )
  t.equal(await post(), null, 'one that did not say its size has begun: its connection is closed')
  upstream.answer = (socket) => socket.write(answerText(large.slice(0, -1)))
  t.equal((await post())?.body.length, answerBytesMax)
})

t.test('after all this nothing is under way', async () => {
  await until(async () => (await gateway.metric('sluice_gateway_exchanges')) === 0)
})
