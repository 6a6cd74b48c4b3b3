// Idempotency-Key: whatever becomes of an answer on its way, asking again with the same key creates nothing twice.
import { request } from 'node:http'
import t from 'tap'
import { createSecretBox } from '../../drizzle/secret-box.ts'
import { secretKey, startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)
const path = `/v1/orgs/${ann.orgId}/endpoints`
const input = { name: 'one', chain: 'demo' }
const create = (key: string, body: object = input) =>
  ann.post(path, body, { 'idempotency-key': key })
const total = async () => (await ann.get(`${path}?limit=100`)).body.data.length

t.test('the same key gets the same answer, secret and all, and creates nothing', async (t) => {
  const first = await create('key-1')
  const before = await total()
  const again = await create('key-1')
  t.equal(again.status, 201)
  t.same(again.body, first.body)
  t.equal(first.headers.get('idempotency-replayed'), null)
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.equal(await total(), before)
})

t.test('the kept answer is sealed', async (t) => {
  const { body } = await create('key-2')
  const [rows] = await plane.database.pool.query(
    "SELECT answer FROM idempotency_keys WHERE `key` = 'key-2'"
  )
  const [row] = rows as { answer: Buffer }[]
  t.ok(row?.answer.length)
  t.notOk(row?.answer.includes(body.keys[0].secret))
})

t.test('the secret is in no kept answer, and showing it again is audited', async (t) => {
  const { body } = await create('key-2b')
  const [key] = body.keys
  const box = createSecretBox([secretKey])
  const [[row]] = (await plane.database.pool.query(
    "SELECT user_id AS user, answer FROM idempotency_keys WHERE `key` = 'key-2b'"
  )) as unknown as [{ user: string; answer: Buffer }[]]
  const kept = box.open(row?.answer ?? Buffer.alloc(0), `${row?.user} key-2b`)
  t.match(kept, body.id, 'it is the answer that was kept')
  t.notMatch(kept, key.secret)
  const reveals = async () => {
    const [rows] = await plane.database.pool.query(
      "SELECT COUNT(*) AS times FROM audit_log WHERE action = 'key.reveal' AND target_id = ?",
      [key.id]
    )
    return (rows as { times: number }[])[0]?.times
  }
  t.equal(await reveals(), 0)
  t.equal((await create('key-2b')).body.keys[0].secret, key.secret)
  t.equal(await reveals(), 1)
})

t.test('a repeated request shows no secret of a key that has ended', async (t) => {
  const { body } = await create('key-2c')
  await ann.post(`${path}/${body.id}/keys/${body.keys[0].id}/revoke`)
  const again = await create('key-2c')
  t.match(again, { status: 201, body: { id: body.id } })
  t.notMatch(JSON.stringify(again.body), body.keys[0].secret)
})

t.test('with reveal switched off, nobody is shown a secret twice', async (t) => {
  const strict = await startControlPlane({
    databaseUrl: plane.config.databaseUrl,
    config: { keyReveal: false }
  })
  t.teardown(() => strict.stop())
  const annThere = strict.client(ann.email)
  await annThere.login()
  const make = () => annThere.post(path, input, { 'idempotency-key': 'key-2d' })
  const { secret } = (await make()).body.keys[0]
  const again = await make()
  t.match(again, { status: 201, body: { keys: [{ last4: secret.slice(-4) }] } })
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.notMatch(JSON.stringify(again.body), secret)
})

t.test('who is no member any more is told that there is nothing', async (t) => {
  const carl = await member(plane, 'carl')
  const make = () =>
    carl.post(`/v1/orgs/${carl.orgId}/endpoints`, input, { 'idempotency-key': 'key-2e' })
  t.equal((await make()).status, 201)
  await plane.database.pool.query('DELETE FROM memberships WHERE org_id = ?', [carl.orgId])
  t.match(await make(), { status: 404, body: { code: 'not_found' } })
})

t.test('another body, or another route, under the same key is refused', async (t) => {
  await create('key-3')
  const other = await create('key-3', { ...input, name: 'two' })
  t.match(other, { status: 422, body: { code: 'idempotency_key_reused' } })
  const elsewhere = await ann.post('/v1/orgs', { name: 'x' }, { 'idempotency-key': 'key-3' })
  t.equal(elsewhere.status, 422)
})

t.test('of many at the same moment one creates, the others wait or get its answer', async (t) => {
  const before = await total()
  const answers = await Promise.all(Array.from({ length: 10 }, () => create('key-4')))
  t.equal(await total(), before + 1)
  for (const { status, body } of answers) {
    t.ok(status === 201 || body.code === 'idempotency_in_flight', `${status} ${body.code}`)
  }
  t.ok(answers.some(({ status }) => status === 201))
})

t.test('a key belongs to its user', async (t) => {
  await create('key-5')
  const bob = await member(plane, 'bob')
  const { status, headers } = await bob.post(
    `/v1/orgs/${bob.orgId}/endpoints`,
    { name: 'x', chain: 'demo' },
    { 'idempotency-key': 'key-5' }
  )
  t.equal(status, 201)
  t.equal(headers.get('idempotency-replayed'), null)
})

t.test('a refused request frees its key', async (t) => {
  t.equal((await create('key-6', { ...input, chain: 'nope' })).status, 400)
  t.equal((await create('key-6', { ...input, name: '' })).status, 400)
  t.equal((await create('key-6')).status, 201)
})

t.test('the key is forgotten after 24 hours', async (t) => {
  const first = await create('key-7')
  plane.advance(24 * 3_600_000)
  await ann.login()
  const later = await create('key-7')
  t.equal(later.status, 201)
  t.not(later.body.id, first.body.id)
})

t.test('rotation takes a key too: a repeated rotation rotates once', async (t) => {
  const rotate = () =>
    ann.post(
      `${endpoint.path}/rotate`,
      { overlap_seconds: 60 },
      { 'idempotency-key': 'rotation-1' }
    )
  const first = await rotate()
  t.same((await rotate()).body, first.body)
  t.equal((await ann.get(endpoint.path)).body.keys.length, 2)
})

t.test('a client that hangs up before its answer finds it with its key', async (t) => {
  const before = await total()
  const sent = request(new URL(path, plane.url), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ann.token}`,
      'content-type': 'application/json',
      'idempotency-key': 'key-8'
    }
  })
  const closed = new Promise((resolve) => sent.on('close', resolve))
  sent.on('error', () => undefined)
  // The socket is cut when the claim is in the database, so surely before an answer has come.
  sent.end(JSON.stringify(input))
  await claimed('key-8')
  sent.destroy()
  await closed
  let answer = await create('key-8')
  while (answer.body.code === 'idempotency_in_flight') answer = await create('key-8')
  t.equal(answer.status, 201)
  t.equal(await total(), before + 1)
})

t.test('a request that was cut off with its process is never done again in silence', async (t) => {
  const first = await create('key-9')
  // What a process leaves behind that died between its claim and its answer.
  await plane.database.pool.query(
    "UPDATE idempotency_keys SET status_code = NULL, answer = NULL WHERE `key` = 'key-9'"
  )
  t.match(await create('key-9'), { status: 409, body: { code: 'idempotency_in_flight' } })
  plane.advance(60_000)
  const late = await create('key-9')
  t.match(late, { status: 409, body: { code: 'idempotency_outcome_unknown' } })
  t.ok(first.body.id)
})

t.test('a key that is no key is told', async (t) => {
  for (const key of ['x'.repeat(65), 'with space']) {
    const answer = await create(key)
    t.match(answer, {
      status: 400,
      body: { errors: [{ in: 'header', pointer: '#/idempotency-key' }] }
    })
  }
})

async function claimed(key: string): Promise<void> {
  for (;;) {
    const [rows] = await plane.database.pool.query(
      'SELECT 1 FROM idempotency_keys WHERE `key` = ?',
      [key]
    )
    if ((rows as unknown[]).length > 0) return
  }
}
