// Informational heads that a node sends unasked, cut at any byte: the client gets the real answer, and the node sees
// one request. What is no head of HTTP/1 is a failure that blames the node, and is not sent twice either.
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway } from './support/gateway-process.ts'
import { requestText, sendRaw } from './support/raw-client.ts'
import { answerText, certificateFile, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const db = await createTestDatabase()
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { NODE_EXTRA_CA_CERTS: certificateFile }
})
t.teardown(async () => {
  await gateway.stop()
  await db.drop()
})

const text = '{"jsonrpc":"2.0","id":1,"result":"0x1"}'
const real = answerText(text, ['Content-Type: application/json', 'X-Node: one'])
const continued = 'HTTP/1.1 100 Continue\r\n\r\n'
const leads = {
  'a 100': continued,
  'a 100 with fields': 'HTTP/1.1 100 Continue\r\nX-A: b\r\nX-C: d\r\n\r\n',
  'a 100 without a reason': 'HTTP/1.1 100\r\n\r\n',
  'a 100 of HTTP/1.0': 'HTTP/1.0 100 Continue\r\n\r\n',
  'several of several kinds': `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${continued}HTTP/1.1 102 Processing\r\n\r\n`,
  'line breaks and a 100': `\r\n\n${continued}\r\n`,
  'line breaks': '\n\r\n\r\n'
}
const garbled = {
  'a 101': 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  'a 101 without fields': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'another protocol': real.replace('HTTP/1.1', 'RTSP/1.0'),
  'an old one': real.replace('HTTP/1.1', 'ICY'),
  'a status below 100': real.replace('200', '099'),
  'lines without CR': `HTTP/1.1 100 Continue\n\n${real}`,
  'too much before it':
    'HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n'.repeat(1000) + real,
  'too many line breaks before it': '\r\n'.repeat(20_000) + real,
  'an unknown transfer coding':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'a coding below the chunks':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'
}

for (const scheme of ['http', 'https'] as const) {
  const upstream = await startRawUpstream(undefined, scheme)
  t.teardown(() => upstream.stop())
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  const post = (method: string) => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"${method}"}`
    return sendRaw(gateway.port, requestText('POST', `/api=${tenant.secret}`, {}, body))
  }

  for (const [name, lead] of Object.entries(leads)) {
    t.test(`${scheme}: ${name} before an answer, wherever it is cut`, async (t) => {
      const whole = lead + real
      const step = scheme === 'https' ? 13 : lead.length < 30 ? 1 : 5
      for (let cutAt = 1; cutAt <= lead.length + 20; cutAt += step) {
        upstream.requests.length = 0
        upstream.answer = async (socket) => {
          socket.write(whole.slice(0, cutAt))
          await turn()
          await turn()
          socket.write(whole.slice(cutAt))
        }
        const answer = await post('eth_sendRawTransaction')
        const got = [answer?.status, answer?.body, answer?.headers['x-node']]
        t.same([...got, upstream.requests.length], [200, text, 'one', 1], `after ${cutAt} bytes`)
      }
    })
  }

  t.test(`${scheme}: a lead that comes byte by byte`, async (t) => {
    upstream.answer = async (socket) => {
      for (const byte of leads['several of several kinds'] + real) {
        socket.write(byte)
        await turn()
      }
    }
    t.equal((await post('eth_chainId'))?.body, text)
  })

  t.test(`${scheme}: what is not an answer of HTTP/1 is a failure of the node`, async (t) => {
    for (const [name, bytes] of Object.entries(garbled)) {
      upstream.requests.length = 0
      // The connection stays open: the failure is not the end of it.
      upstream.answer = (socket) => socket.write(bytes)
      const answer = await post('eth_chainId')
      t.equal(answer?.status, 502, name)
      t.equal(JSON.parse(answer?.body ?? '{}').error?.data?.reason, 'upstream_bad_response', name)
      t.equal(upstream.requests.length, 1, `${name}: sent once`)
    }
  })
}
