// A bug in any stage, whoever called it, is answered as `internal`, settled once, and does not end the process.
import t from 'tap'
import { HeldAnswers } from '../answers/held-answers.ts'
import { ByteAccount } from '../byte-account.ts'
import { systemClock as clock } from '../clock.ts'
import { Deadlines } from '../deadlines.ts'
import { createFailures } from '../errors.ts'
import { type Exchange, waitsForKey } from '../exchange.ts'
import { Pipeline, type PipelineDeps } from '../pipeline.ts'
import { createAccept } from '../stages/accept.ts'
import { createCollect } from '../stages/collect.ts'
import { Respond } from '../stages/respond.ts'
import { closeListenSocket, createApp, type us_listen_socket } from '../uws.ts'
import { freePorts } from './support/gateway-process.ts'

const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
const failures = createFailures(402)
const bug = (): never => {
  throw new Error('a bug')
}

/** A server whose pipeline has real stages but for those that the test breaks. */
async function serve(t: { teardown: (work: () => void) => void }, broken: Partial<PipelineDeps>) {
  const [port = 0] = await freePorts(1)
  const deadlines = new Deadlines({ bodyIdleMs: 30_000, progressMs: 30_000 })
  const bugs: unknown[] = []
  const settled: Exchange[] = []
  const settle = (exchange: Exchange) => {
    if (exchange.isSettled) return
    exchange.isSettled = true
    deadlines.remove(exchange)
    settled.push(exchange)
  }
  const limits = {
    isProxied: () => false,
    bodyBytesMax: 10_000,
    bodies: new ByteAccount(100_000, 10_000),
    batchItemsMax: 10
  }
  const pipeline = new Pipeline({
    failures,
    clock,
    deadlines,
    exchangesMax: 100,
    accept: createAccept({
      failures,
      newRequestId: () => 'request-1',
      bodyBytesMax: 10_000,
      isProxied: () => false
    }),
    authenticate(exchange) {
      exchange.waitsFor &= ~waitsForKey
      return null
    },
    confirm: () => null,
    collect: createCollect({ failures, clock, deadlines, bodyTimeoutMs: 30_000, ...limits }),
    charge: () => null,
    dispatch: (exchange, sink) => {
      setImmediate(() => {
        sink.head(exchange, 200, {})
        sink.piece(exchange, Buffer.from('"fine"'))
        sink.end(exchange)
      })
      return null
    },
    respond: new Respond({
      failures,
      clock,
      deadlines,
      answerBufferBytesMax: 1000,
      batchItemsMax: 10,
      heldAnswers: new HeldAnswers(new ByteAccount(100_000, 10_000)),
      settle,
      onUpstreamFailure: () => undefined
    }),
    settle,
    onBug: (_exchange, caught) => bugs.push(caught),
    onUpstreamFailure: () => undefined,
    ...broken
  })
  let socket: us_listen_socket | false = false
  const app = createApp().any('/*', pipeline.handle)
  app.listen('127.0.0.1', port, (listening) => {
    socket = listening
  })
  t.teardown(() => {
    if (socket !== false) closeListenSocket(socket)
    app.close()
  })
  const post = () => fetch(`http://127.0.0.1:${port}/api=some-key-here`, { method: 'POST', body })
  return { post, bugs, settled, deadlines }
}

const breaks: Record<string, Partial<PipelineDeps>> = {
  accept: { accept: bug },
  authenticate: { authenticate: bug },
  'a look-up that answers later': {
    authenticate(exchange, later) {
      setImmediate(() => {
        exchange.waitsFor &= ~waitsForKey
        later(exchange, null)
      })
      return null
    },
    charge: bug
  },
  charge: { charge: bug },
  dispatch: { dispatch: bug },
  'the head of an answer': {
    dispatch: (exchange, sink) => {
      // Headers that cannot be read: the bug is in respond, and undici is the caller.
      setImmediate(() => sink.head(exchange, 200, null as never))
      return null
    }
  }
}

for (const [where, broken] of Object.entries(breaks)) {
  t.test(`a bug in ${where} is answered as internal and settled once`, async (t) => {
    const server = await serve(t, broken)
    for (let request = 1; request <= 3; request++) {
      const response = await server.post()
      t.equal(response.status, 500)
      t.match(await response.json(), { error: { code: -32603, data: { reason: 'internal' } } })
      t.equal(server.bugs.length, request)
      t.equal(server.settled.length, request)
      t.equal(server.deadlines.size, 0)
    }
  })
}

t.test('without a bug the same pipeline answers', async (t) => {
  const server = await serve(t, {})
  const response = await server.post()
  t.equal(await response.text(), '"fine"')
  t.equal(server.settled.length, 1)
})

t.test('a bug after the head of a streamed answer closes the connection', async (t) => {
  const server = await serve(t, {
    dispatch: (exchange, sink) => {
      setImmediate(() => {
        sink.head(exchange, 200, { 'content-length': '5000' })
        sink.piece(exchange, Buffer.alloc(2000))
        sink.piece(exchange, null as never)
      })
      return null
    }
  })
  await t.rejects(server.post().then((response) => response.arrayBuffer()))
  t.equal(server.settled.length, 1)
})
