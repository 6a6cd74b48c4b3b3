// Rotation: a new key beside the old ones, which end now or when the overlap is over, and never later than they would.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { newId } from '../../drizzle/ids.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const rotate = (path: string, overlap_seconds: number) =>
  ann.post(`${path}/rotate`, { overlap_seconds })

t.test('without overlap the old key is revoked at once', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const { status, body } = await rotate(endpoint.path, 0)
  t.equal(status, 200)
  const [old, fresh] = body.keys
  t.match(old, { id: endpoint.keys[0].id, status: 'revoked', expires_at: null })
  t.ok(old.revoked_at)
  t.match(fresh, { status: 'active', revoked_at: null })
  t.not(fresh.secret, endpoint.keys[0].secret)
  t.equal(body.url, `https://rpc.example.com/api=${fresh.secret}`)
})

t.test('with overlap both are visible and live until it is over', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const { body } = await rotate(endpoint.path, 60)
  const [old, fresh] = body.keys
  t.same([old.status, fresh.status], ['active', 'active'])
  const lifeMs = Date.parse(old.expires_at) - Date.parse(fresh.created_at)
  t.equal(lifeMs, 60_000)
  plane.advance(60_000)
  const later = await ann.get(endpoint.path)
  t.same(
    later.body.keys.map((key: { status: string }) => key.status),
    ['expired', 'active']
  )
})

t.test('a longer overlap never lengthens the life of a key', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const first = await rotate(endpoint.path, 60)
  const second = await rotate(endpoint.path, 604_800)
  t.equal(second.body.keys[0].expires_at, first.body.keys[0].expires_at)
  t.ok(Date.parse(second.body.keys[1].expires_at) > Date.parse(first.body.keys[0].expires_at))
})

t.test('rotations at the same moment come one after the other, and lose no key', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const answers = await Promise.all([0, 1, 2].map(() => rotate(endpoint.path, 0)))
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  const { body } = await ann.get(endpoint.path)
  t.equal(body.keys.length, 4)
  const live = body.keys.filter((key: { status: string }) => key.status === 'active')
  t.equal(live.length, 1)
})

t.test('keys do not pile up: ten at once', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  for (let count = 1; count < 10; count++) {
    t.equal((await rotate(endpoint.path, 3600)).status, 200)
  }
  t.match(await rotate(endpoint.path, 3600), { status: 409, body: { code: 'limit_reached' } })
  t.equal((await rotate(endpoint.path, 0)).status, 200)
})

t.test('the overlap is 0 seconds to 7 days, and is asked for', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  t.equal((await rotate(endpoint.path, -1)).status, 400)
  t.equal((await rotate(endpoint.path, 604_801)).status, 400)
  const without = await ann.post(`${endpoint.path}/rotate`, {})
  t.equal(without.body.errors[0].pointer, '#/overlap_seconds')
})

t.test('one key is revoked, the others stay', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const { body } = await rotate(endpoint.path, 600)
  const path = `${endpoint.path}/keys/${body.keys[0].id}/revoke`
  const revoked = await ann.post(path)
  t.same(
    revoked.body.keys.map((key: { status: string }) => key.status),
    ['revoked', 'active']
  )
  plane.advance(1000)
  const again = await ann.post(path)
  t.equal(again.status, 200)
  t.equal(again.body.keys[0].revoked_at, revoked.body.keys[0].revoked_at, 'the first time counts')
  t.ok(again.body.change_id > revoked.body.change_id, 'and it can be proved again')
  t.equal((await ann.post(`${endpoint.path}/keys/key_nope/revoke`)).status, 404)
})

t.test('of keys that have ended an answer shows the last, and of the live ones all', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  await rotate(endpoint.path, 604_800)
  const now = plane.clock()
  const rows = Array.from({ length: 200 }, (_, place) => [
    newId('key'),
    endpoint.id,
    randomBytes(32),
    'slc_aaaa',
    'bbbb',
    new Date(now.getTime() - 1_000_000 + place),
    new Date(now.getTime() - 200_000 + place * 1000)
  ])
  await plane.database.pool.query(
    'INSERT INTO api_keys (id, endpoint_id, hash, prefix, last4, created_at, revoked_at) VALUES ?',
    [rows]
  )
  for (const path of [endpoint.path, `/v1/orgs/${ann.orgId}/endpoints?limit=100`]) {
    const { body } = await ann.get(path)
    const shown = body.data?.find(({ id }: { id: string }) => id === endpoint.id) ?? body
    t.equal(shown.keys.length, 30)
    const live = shown.keys.filter(({ status }: { status: string }) => status === 'active')
    t.equal(live.length, 2)
    const ended = shown.keys.filter(({ status }: { status: string }) => status === 'revoked')
    t.same(
      ended.map(({ id }: { id: string }) => id).sort(),
      rows
        .slice(-28)
        .map(([id]) => id)
        .sort()
    )
  }
})
