// Heads of answers that come in pieces, while answers of other upstreams are read by the same thread in between.
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { requestText, sendRaw } from './support/raw-client.ts'
import { answerText, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const db = await createTestDatabase()
const [slow, other] = [await startRawUpstream(), await startRawUpstream()]
const chain = { kind: 'rest' } as const
const slowTenant = await createTenant(db.database, { upstreamUrl: slow.url, chain })
const otherTenant = await createTenant(db.database, { upstreamUrl: other.url, chain })
const gateway = await startGateway({ databaseUrl: db.url })
t.teardown(async () => {
  await gateway.stop()
  await Promise.all([slow.stop(), other.stop()])
  await db.drop()
})

const get = (secret: string) => sendRaw(gateway.port, requestText('GET', `/api=${secret}/x`))
const answer = answerText('the answer', ['X-First: one', 'X-Second: two', 'ETag: "three"'])
const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n'
const privateAnswer = answerText('private '.repeat(40), [`X-Private: ${'secret '.repeat(20)}`])

for (const [name, text] of [
  ['a head', answer],
  ['a head behind an informational one', hints + answer],
  ['a head behind an empty line', `\r\n\r\n${answer}`],
  ['a head behind an informational one behind a line break', `\n${hints}${answer}`]
] as const) {
  t.test(`${name}, wherever it is split`, async (t) => {
    other.answer = (socket) => socket.write(privateAnswer)
    await get(otherTenant.secret)
    for (let split = 1; split < text.length; split += 3) {
      slow.requests.length = 0
      slow.answer = (socket) => socket.write(text.slice(0, split))
      const answered = get(slowTenant.secret)
      await until(async () => slow.requests.length === 1)
      // What was written before this is asked is read before this is answered.
      t.equal((await get(otherTenant.secret))?.body.length, 'private '.length * 40)
      for (const socket of slow.sockets) socket.write(text.slice(split))
      const got = await answered
      const values = ['x-first', 'x-second', 'etag', 'x-private'].map((name) => got?.headers[name])
      t.same(
        [...values, got?.body],
        ['one', 'two', '"three"', undefined, 'the answer'],
        `after ${split} bytes`
      )
    }
  })
}
