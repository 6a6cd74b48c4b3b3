// What is secret is never in the log: not when all goes well, not when it goes wrong, at the most talkative level.
import t from 'tap'
import { createLogger } from '../telemetry/logger.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, mailedToken, member } from './support/people.ts'

const lines: string[] = []
const plane = await startControlPlane({ onLog: (line) => lines.push(line) })
t.teardown(() => plane.stop())

t.test('no password, token, cookie or api key in any line', async (t) => {
  const ann = await member(plane, 'ann')
  const endpoint = await endpointOf(plane, ann)
  const { secret } = endpoint.keys[0]
  const mailed = await mailedToken(plane, ann.email)
  const wrongDoor = plane.client()
  await wrongDoor.post(`/api=${secret}`, { method: 'eth_chainId' })
  await wrongDoor.get(`/v1/me?access_token=${ann.token}`)
  await ann.post('/v1/auth/login', { email: ann.email, password: 'a wrong password' })
  await ann.post('/v1/auth/refresh')
  // A statement that fails: its parameters are in the driver's message.
  await plane.database.pool.query('RENAME TABLE refresh_tokens TO hidden')
  t.equal((await plane.client(ann.email).login()).status, 503)
  await plane.database.pool.query('RENAME TABLE hidden TO refresh_tokens')
  await plane.database.pool.query("UPDATE chains SET method_weights = 'not json'")
  t.equal((await ann.get('/v1/chains')).status, 500)

  const log = lines.join('')
  t.match(log, /"msg":"bug"/, 'the bug is there, with its stack')
  t.match(log, '/api=[redacted]')
  for (const word of [ann.password, ann.token, ann.cookie, secret, mailed, 'a wrong password']) {
    t.ok(word)
    t.notOk(log.includes(String(word)))
  }
  t.notMatch(log, /\$argon2id/)
})

t.test('every request has one line, with its id', async (t) => {
  lines.length = 0
  const answer = await plane.client().get('/v1/me?x=1', { 'x-request-id': 'find-me-again' })
  t.equal(answer.status, 401)
  // The line is written when the answer has left, so it may come a turn of the loop after it.
  while (lines.length === 0) await new Promise(setImmediate)
  const own = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request')
  t.match(own, [{ request_id: 'find-me-again', method: 'GET', path: '/v1/me', status: 401 }])
})

t.test('fields with secrets in them are cut out, wherever they are', async (t) => {
  const written: string[] = []
  const log = createLogger('info', { write: (line) => written.push(line) })
  log.info({
    password: 'p1',
    headers: { authorization: 'p2', cookie: 'p3' },
    a: { b: { token: 'p4' } }
  })
  t.notMatch(written.join(''), /p[1-4]/)
})
