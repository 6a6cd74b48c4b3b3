// The load generator's streams, against real sockets: what is counted, what is a failure, and that a slow server cannot
// hide its slowness by being asked less.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { Stream } from '../load/load.ts'
import { RequestStream } from '../load/request-stream.ts'

const body = '{"jsonrpc":"2.0"}'
const answerOf = (status: number, text = 'x') =>
  `HTTP/1.1 ${status} Word\r\nContent-Length: ${text.length}\r\n\r\n${text}`

/** Calls `onRequest` with each request line; its body is always the one above. */
async function serve(t: Test, onRequest: (line: string, socket: Socket) => void) {
  const server = createServer((socket) => {
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
      for (let end = text.indexOf(body); end >= 0; end = text.indexOf(body)) {
        const line = text.slice(0, text.indexOf('\r\n'))
        text = text.slice(end + body.length)
        onRequest(line, socket)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

function open(t: Test, port: number, options: Partial<Stream>) {
  const failures: string[] = []
  const stream = new RequestStream(
    {
      port,
      paths: ['/a'],
      body,
      connections: 1,
      requestsPerSecond: null,
      statuses: [200],
      ...options
    },
    (reason) => failures.push(reason)
  )
  t.teardown(() => stream.close())
  return { stream, failures }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}

t.test('closed loop: every connection asks again when it is answered, paths in turn', async (t) => {
  const lines: string[] = []
  const port = await serve(t, (line, socket) => {
    lines.push(line)
    socket.write(answerOf(200))
  })
  const { stream, failures } = open(t, port, { paths: ['/a', '/b', '/c'], connections: 2 })
  stream.start(performance.now())
  stream.startCounting(performance.now())
  await until(() => stream.result.answers >= 30)
  t.same(failures, [])
  t.ok(stream.hasAskedAll)
  for (const path of ['/a', '/b', '/c']) {
    const times = lines.filter((line) => line === `POST ${path} HTTP/1.1`).length
    t.ok(times >= 10, `${path}: ${times}`)
  }
  t.same(stream.result.answersByStatus, { 200: stream.result.answers })
})

t.test('closed loop: what is answered after the end is not counted', async (t) => {
  const port = await serve(t, (_line, socket) => socket.write(answerOf(200)))
  const { stream } = open(t, port, {})
  stream.start(performance.now())
  stream.startCounting(performance.now())
  await until(() => stream.result.answers >= 5)
  stream.end(performance.now())
  const { answers } = stream.result
  await until(() => stream.isSettled)
  t.equal(stream.result.answers, answers)
})

t.test(
  'open loop: time runs from when a request fell due, not from when it was sent',
  async (t) => {
    const port = await serve(t, (_line, socket) => socket.write(answerOf(200)))
    const { stream, failures } = open(t, port, { requestsPerSecond: 100 })
    // As after a stall of one second: 100 requests have fallen due, and there is one connection for them.
    const startedMs = performance.now() - 1000
    stream.startCounting(startedMs)
    stream.start(startedMs)
    stream.end(startedMs + 995)
    await until(() => stream.isSettled)
    const { answers, latencyUs } = stream.result
    t.equal(answers, 100, 'all that fell due before the end, and nothing else')
    t.ok(latencyUs.p50 >= 495_000, `median ${latencyUs.p50} µs`)
    t.ok(latencyUs.p99 >= 980_000, `p99 ${latencyUs.p99} µs`)
    t.same(failures, [])
  }
)

t.test(
  'an answer in pieces is one answer, and one that nobody asked for is a failure',
  async (t) => {
    const port = await serve(t, (line, socket) => {
      if (line.includes('/twice')) {
        socket.write(answerOf(200) + answerOf(200))
        return
      }
      const text = answerOf(200, 'y'.repeat(100_000))
      for (const piece of [text.slice(0, 20), text.slice(20, 60), text.slice(60)])
        socket.write(piece)
    })
    const whole = open(t, port, {})
    whole.stream.start(performance.now())
    whole.stream.startCounting(performance.now())
    await until(() => whole.stream.result.answers >= 3)
    t.same(whole.failures, [])
    // One request, and not another one for hours.
    const twice = open(t, port, { paths: ['/twice'], requestsPerSecond: 0.0001 })
    twice.stream.start(performance.now())
    await until(() => twice.failures.length > 0)
    t.match(twice.failures[0], /nobody asked for/)
  }
)

t.test('another status, another protocol and a lost request are failures', async (t) => {
  const port = await serve(t, (line, socket) => {
    if (line.includes('/status')) socket.write(answerOf(502))
    else if (line.includes('/chunked'))
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    else socket.destroy()
  })
  for (const [path, reason] of [
    ['/status', /answered with 502/],
    ['/chunked', /not HTTP\/1\.1 with a Content-Length/],
    ['/lost', /closed the connection/]
  ] as const) {
    const { stream, failures } = open(t, port, { paths: [path] })
    stream.start(performance.now())
    await until(() => failures.length > 0)
    t.match(failures[0], reason)
  }
})
