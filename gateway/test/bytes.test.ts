// Whatever bytes a client sends reach the node as they are, and whatever the node answers reaches the client as it is: of
// every size about the limits in upstreams/read-memory.ts and ANSWER_BUFFER_BYTES_MAX, with and without a length, in pieces,
// and while other answers are read at the same time.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'

const answerBufferBytesMax = 100_000
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
const sizes = [1, 255, 8191, 8192, 8193, 65_536, 99_999, 100_001, 262_144, 262_145, 1_000_000]

/** Answers with what it was sent, in as many pieces as the query says. */
const server = createServer(async (request, response) => {
  const body = await buffer(request)
  const query = new URL(request.url ?? '/', 'http://node').searchParams
  const pieces = Number(query.get('pieces'))
  if (query.has('length')) response.setHeader('content-length', body.length)
  const pieceBytes = Math.ceil(body.length / pieces)
  for (let at = 0; at < body.length; at += pieceBytes) {
    response.write(body.subarray(at, at + pieceBytes))
    await new Promise(setImmediate)
  }
  response.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
const db = await createTestDatabase()
const tenant = await createTenant(db.database, {
  upstreamUrl: `http://127.0.0.1:${port}`,
  chain: { kind: 'rest' }
})
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { ANSWER_BUFFER_BYTES_MAX: String(answerBufferBytesMax), UPSTREAM_CONNECTIONS_MAX: '8' }
})
t.teardown(async () => {
  await gateway.stop()
  server.closeAllConnections()
  server.close()
  await db.drop()
})

async function echoed(body: Buffer, query: string): Promise<Buffer> {
  const url = `${gateway.url}/api=${tenant.secret}/echo?${query}`
  const answer = await fetch(url, { method: 'POST', body: new Uint8Array(body) })
  return Buffer.from(await answer.arrayBuffer())
}

const bodyOf = (bytes: number) => Buffer.concat([everyByte, randomBytes(bytes)]).subarray(-bytes)

for (const query of ['length&pieces=1', 'length&pieces=3', 'pieces=1', 'pieces=3']) {
  t.test(`bytes are what they were: ${query}`, async (t) => {
    for (const bytes of sizes) {
      const body = bodyOf(bytes)
      t.ok((await echoed(body, query)).equals(body), `${bytes} bytes`)
    }
    t.ok((await echoed(everyByte, query)).equals(everyByte), 'every byte there is')
  })
}

t.test('answers that come at the same time do not mix', async (t) => {
  const bodies = Array.from({ length: 300 }, (_, place) => bodyOf(sizes[place % 9] as number))
  const kinds = ['length&pieces=1', 'length&pieces=2', 'pieces=2']
  const answers = await Promise.all(
    bodies.map((body, place) => echoed(body, kinds[place % kinds.length] as string))
  )
  const mixed = bodies.filter((body, place) => !answers[place]?.equals(body))
  t.equal(mixed.length, 0)
})
