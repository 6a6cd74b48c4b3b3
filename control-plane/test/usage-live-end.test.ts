// How live streams end, and how many there may be: nobody watches longer than they may, and nobody takes the room of others.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import type { Client } from './support/client.ts'
import { startControlPlane } from './support/control-plane.ts'
import { type LiveReader, watchLive } from './support/live-reader.ts'
import { endpointOf, member, operator } from './support/people.ts'

const plane = await startControlPlane({
  config: { liveStreamsMax: 4, liveStreamsPerUserMax: 2 }
})
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)
const livePath = `${endpoint.path}/usage/live`

/** Room comes back a moment after a reader has left. */
async function watchSoon(client: Client): Promise<LiveReader> {
  for (;;) {
    const { status } = await client.send('HEAD', livePath)
    if (status === 200) return await watchLive(client, endpoint.path)
  }
}

t.test('a user has so many streams and not one more, and gets the room back', async (t) => {
  const readers = [await watchSoon(ann), await watchSoon(ann)]
  const { status, body } = await ann.get(livePath)
  t.equal(status, 429)
  t.match(body, { code: 'too_many_streams', detail: /2 live streams open.*close one/ })
  readers[0]?.leave()
  readers[0] = await watchSoon(ann)
  for (const reader of readers) reader.leave()
})

t.test('the process has so many streams and not one more', async (t) => {
  const bob = await operator(plane)
  const again = plane.client(ann.email)
  await again.login()
  const readers = [await watchSoon(ann), await watchSoon(again)]
  readers.push(await watchSoon(bob), await watchSoon(bob))
  const carl = await member(plane, 'carl')
  const own = await endpointOf(plane, carl)
  const { status, body, headers } = await carl.get(`${own.path}/usage/live`)
  t.equal(status, 503)
  t.match(body, { code: 'overloaded', detail: /All 4 live streams are taken/ })
  t.ok(Number(headers.get('retry-after')) > 0)
  t.match((await plane.metrics.render()).text, /^sluice_control_plane_live_streams 4$/m)
  for (const reader of readers) reader.leave()
})

t.test('a HEAD takes no room', async (t) => {
  while (!(await plane.metrics.render()).text.includes('_live_streams 0\n')) await setImmediate()
  for (let round = 0; round < 5; round++) {
    const { status, headers } = await ann.send('HEAD', livePath)
    t.equal(status, 200)
    t.match(headers.get('content-type'), /^text\/event-stream/)
  }
})

t.test('a stream ends with the access token that opened it', async (t) => {
  const reader = await watchSoon(ann)
  plane.advance(15 * 60_000)
  t.same(await reader.end(), { name: 'end', data: { reason: 'token_expired' } })
  await ann.login()
})

t.test('a stream ends when its session does', async (t) => {
  const again = plane.client(ann.email)
  await again.login()
  const [reader, other] = [await watchSoon(again), await watchSoon(ann)]
  await again.post('/v1/auth/logout')
  t.same(await reader.end(), { name: 'end', data: { reason: 'access_lost' } })
  const seen = other.events.length
  await other.until(() => other.events.length > seen + 1)
  t.notOk(other.isOver, 'other sessions go on')
  other.leave()
})

t.test('a stream ends when the member is none any more', async (t) => {
  const dora = await member(plane, 'dora')
  await plane.database.pool.query(
    "INSERT INTO memberships SELECT ?, user_id, 'member', NOW(3) FROM memberships WHERE org_id = ?",
    [ann.orgId, dora.orgId]
  )
  const reader = await watchSoon(dora)
  await plane.database.pool.query(
    'DELETE m FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.org_id = ? AND u.email = ?',
    [ann.orgId, dora.email]
  )
  t.same(await reader.end(), { name: 'end', data: { reason: 'access_lost' } })
  t.equal((await dora.get(livePath)).status, 404)
})

t.test('the operator watches for as long as they are one', async (t) => {
  const theOperator = await operator(plane)
  await theOperator.login()
  const reader = await watchSoon(theOperator)
  await reader.until(() => reader.named('usage').length >= 7)
  await plane.database.pool.query('UPDATE users SET is_operator = 0')
  t.same(await reader.end(), { name: 'end', data: { reason: 'access_lost' } })
})

t.test('a process that stops ends its streams first, and waits for nobody', async (t) => {
  const other = await startControlPlane({ databaseUrl: plane.config.databaseUrl })
  const eve = other.client(ann.email)
  await eve.login()
  const reader = await watchLive(eve, endpoint.path)
  // Somebody who opened a stream and never reads it.
  const deaf = connect(other.port, '127.0.0.1').pause()
  deaf.write(
    `GET ${livePath} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${eve.token}\r\nX-Request-Id: deaf-reader\r\n\r\n`
  )
  await once(deaf, 'connect')
  await reader.until(() => reader.named('usage').length >= 2)
  await other.stop()
  t.same(await reader.end(), { name: 'end', data: { reason: 'stopping' } })
  deaf.destroy()
})
