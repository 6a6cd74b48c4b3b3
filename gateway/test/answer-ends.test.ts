// Answers without Content-Length and chunks, which last until their connection ends: complete when the node has ended it,
// a failure when it was reset, or cut below TLS. All of it is counted as what it was.
import type { Socket } from 'node:net'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { requestText, sendRaw } from './support/raw-client.ts'
import { certificateFile, reset, startRawUpstream, transportOf } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const call = '{"jsonrpc":"2.0","id":"mine","method":"eth_chainId"}'
const shortText = '{"jsonrpc":"2.0","id":"mine","result":"0xaaaa"}'
const longText = `{"jsonrpc":"2.0","id":"mine","result":"${'a'.repeat(400_000)}"}`
const heads = {
  'HTTP/1.1': 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n',
  'HTTP/1.0': 'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n'
}

const db = await createTestDatabase()
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { NODE_EXTRA_CA_CERTS: certificateFile, ANSWER_BUFFER_BYTES_MAX: '100000' }
})
t.teardown(async () => {
  await gateway.stop()
  await db.drop()
})

const other = await startRawUpstream()
t.teardown(() => other.stop())
const otherTenant = await createTenant(db.database, { upstreamUrl: other.url })
/** The gateway has one thread: what was written before this is asked is read before this is answered. */
const callAnother = () =>
  sendRaw(gateway.port, requestText('POST', `/api=${otherTenant.secret}`, {}, call))

const cut = (socket: Socket) => transportOf(socket).end()

for (const scheme of ['http', 'https'] as const) {
  t.test(scheme, async (t) => {
    const upstream = await startRawUpstream(undefined, scheme)
    t.teardown(() => upstream.stop())
    const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
    const post = () => sendRaw(gateway.port, requestText('POST', `/api=${tenant.secret}`, {}, call))
    const counted = (result: string) =>
      gateway.metric('sluice_gateway_upstream_requests_total', tenant.upstreamId, `"${result}"`)
    /** Ends the connection when the gateway has read what was written: a reset would take it back. */
    const answerWith = (text: string, end: (socket: Socket) => void) => {
      upstream.answer = (socket) =>
        socket.write(text, async () => {
          await callAnother()
          end(socket)
        })
    }

    for (const [version, head] of Object.entries(heads)) {
      for (const [size, text] of Object.entries({ short: shortText, long: longText })) {
        t.test(`a ${size} ${version} answer is complete when the node ends it`, async (t) => {
          const before = await counted('ok')
          answerWith(head + text, (socket) => socket.end())
          const answer = await post()
          t.equal(answer?.status, 200)
          t.equal(answer?.body, text)
          await until(async () => (await counted('ok')) === before + 1)
        })

        const ends = scheme === 'http' ? { reset } : { reset, 'cut without close_notify': cut }
        for (const [how, end] of Object.entries(ends)) {
          t.test(`a ${size} ${version} answer that is ${how} is a failure`, async (t) => {
            const before = await counted('ok')
            const failed = await counted('upstream_bad_response')
            answerWith(head + text, end)
            const answer = await post()
            if (size === 'short') t.equal(answer?.status, 502)
            else t.ok(answer === null || answer.status === 502, 'no complete answer')
            await until(async () => (await counted('upstream_bad_response')) === failed + 1)
            t.equal(await counted('ok'), before)
          })
        }
      }
    }

    t.test('an answer that is reset together with its last bytes is a failure', async (t) => {
      // Whether both are read at once is up to the kernel: about each sixth time.
      for (let i = 0; i < 60; i++) {
        upstream.answer = (socket) => {
          socket.write(heads['HTTP/1.1'] + shortText)
          setImmediate(reset, socket)
        }
        t.equal((await post())?.status, 502)
      }
    })

    t.test('an answer that says its length is complete however its connection ends', async (t) => {
      const framed = `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${shortText.length}\r\n\r\n`
      for (const end of [cut, reset, (socket: Socket) => socket.end()]) {
        answerWith(framed + shortText, end)
        t.equal((await post())?.body, shortText)
      }
    })

    t.test('a kept connection that ends anyhow between two calls costs none of them', async (t) => {
      for (const end of [cut, reset]) {
        upstream.answer = (socket) =>
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${shortText.length}\r\n\r\n${shortText}`)
        t.equal((await post())?.status, 200)
        for (const socket of upstream.sockets) end(socket)
        t.equal((await post())?.status, 200)
      }
    })
  })
}
