// Upstreams over TLS, as providers are, and over TCP: answers that are larger than the client takes at once arrive whole and
// in order, a node that answers before it has read the request harms nobody, and the connection serves the next call.
// The certificate in support/ is for 127.0.0.1 and made for these tests.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, get as httpGet, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'

const support = join(import.meta.dirname, 'support')
const certificateFile = join(support, 'loopback-certificate.pem')
const tls = {
  cert: readFileSync(certificateFile),
  key: readFileSync(join(support, 'loopback-key.pem'))
}
/** No two places are alike, so that any change of order shows. */
const large = Buffer.from(Uint32Array.from({ length: 2_500_000 }, (_, place) => place).buffer)
const pieceBytes = 10_007

const serve: RequestListener = (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://node')
  if (pathname === '/early') {
    // Before the body was read, which Node then drops.
    response.writeHead(429, { 'content-length': 2 }).end('no')
  } else if (pathname === '/length') {
    response.writeHead(200, { 'content-length': large.length }).end(large)
  } else if (pathname === '/pieces') {
    for (let at = 0; at < large.length; at += pieceBytes) {
      response.write(large.subarray(at, at + pieceBytes))
    }
    response.end()
  } else {
    request.resume().on('end', () => response.end('next'))
  }
}

const db = await createTestDatabase()
const gateway = await startGateway({
  databaseUrl: db.url,
  env: {
    NODE_EXTRA_CA_CERTS: certificateFile,
    UPSTREAM_CONNECTIONS_MAX: '1',
    UPSTREAM_TIMEOUT_MS: '10000'
  }
})
const servers = [createServer(serve), createTlsServer(tls, serve)]
for (const server of servers) server.listen(0, '127.0.0.1')
t.teardown(async () => {
  await gateway.stop()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await db.drop()
})

for (const [place, scheme] of ['http', 'https'].entries()) {
  t.test(scheme, async (t) => {
    const server = servers[place] as (typeof servers)[number]
    if (!server.listening) await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const { secret } = await createTenant(db.database, {
      upstreamUrl: `${scheme}://127.0.0.1:${port}`,
      chain: { kind: 'rest' }
    })
    const url = (path: string) => `${gateway.url}/api=${secret}${path}`
    const next = async () => await (await fetch(url('/next'), { method: 'POST', body: 'x' })).text()
    t.equal(await next(), 'next')

    for (const path of ['/length', '/pieces']) {
      t.test(`${path}: a slow client gets it whole and in order`, async (t) => {
        const [response] = (await once(httpGet(url(path)), 'response')) as [IncomingMessage]
        // Not read at all until the gateway has had to wait.
        await until(async () => (await gateway.metric('sluice_gateway_exchanges')) === 1)
        const pieces: Buffer[] = []
        for await (const piece of response) {
          pieces.push(piece)
          await new Promise(setImmediate)
        }
        t.ok(Buffer.concat(pieces).equals(large))
        t.equal(await next(), 'next', 'the only connection is free again')
      })
    }

    t.test('many at a time stay apart', async (t) => {
      const answers = await Promise.all(
        Array.from({ length: 4 }, async (_, at) => {
          const path = at % 2 === 0 ? '/length' : '/pieces'
          const [response] = (await once(httpGet(url(path)), 'response')) as [IncomingMessage]
          return await buffer(response)
        })
      )
      for (const answer of answers) t.ok(answer.equals(large))
    })

    t.test('a node that answers before it has read the request', async (t) => {
      const body = new Uint8Array(4_900_000)
      for (let count = 0; count < 3; count++) {
        const [early, after] = await Promise.all([
          fetch(url('/early'), { method: 'POST', body }),
          next()
        ])
        t.equal(early.status, 429)
        t.equal(after, 'next')
      }
    })
  })
}
