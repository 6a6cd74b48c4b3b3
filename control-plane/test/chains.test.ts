// Chains and upstreams: the operator's, announced to the gateways, and their URLs never shown again.
import t from 'tap'
import { createSecretBox } from '../../drizzle/secret-box.ts'
import { secretKey, startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const theOperator = await operator(plane)
const ann = await member(plane, 'ann')
const url = 'https://node.example.com:8443/v3/provider-key?token=secret'

async function lastChange() {
  const [rows] = await plane.database.pool.query(
    'SELECT * FROM change_log ORDER BY id DESC LIMIT 1'
  )
  return (rows as Record<string, unknown>[])[0]
}

t.test('a chain is made with its upstreams, whose URLs are sealed', async (t) => {
  const { status, body } = await theOperator.post('/v1/chains', {
    name: 'ethereum',
    kind: 'evm',
    method_weights: { eth_getLogs: 20 },
    upstreams: [{ name: 'primary', url }]
  })
  t.equal(status, 201)
  t.match(body, {
    name: 'ethereum',
    kind: 'evm',
    method_weights: { eth_getLogs: 20 },
    upstreams: [{ name: 'primary', url: 'https://node.example.com:8443' }]
  })
  t.match(await lastChange(), { id: body.change_id, entity: 'chain', chain_id: body.id })
  const [rows] = await plane.database.pool.query('SELECT id, url FROM upstreams')
  const [row] = rows as { id: string; url: Buffer }[]
  t.notOk(row?.url.includes('provider-key'))
  t.equal(createSecretBox([secretKey]).open(row?.url ?? Buffer.of(), row?.id ?? ''), url)
})

t.test('users see which chains there are, and not what serves them', async (t) => {
  const list = await ann.get('/v1/chains')
  t.match(list.body.data, [{ name: 'ethereum', kind: 'evm' }])
  t.notOk('upstreams' in list.body.data[0])
  const read = await ann.get('/v1/chains/ethereum')
  t.notOk('upstreams' in read.body)
  t.same((await ann.get(`/v1/chains/${read.body.id}`)).body, read.body, 'by id as by name')
  t.equal((await ann.get('/v1/chains/nope')).status, 404)
})

t.test('upstreams are added, changed and removed, and each change is announced', async (t) => {
  const path = '/v1/chains/ethereum/upstreams'
  const added = await theOperator.post(path, { name: 'second', url: 'http://10.0.0.1/a' })
  t.equal(added.status, 201)
  const scope = { entity: 'upstream', entity_id: added.body.id }
  t.match(await lastChange(), { id: added.body.change_id, ...scope })
  const one = `${path}/${added.body.id}`
  const moved = await theOperator.patch(one, { url: 'http://10.0.0.2/b' })
  t.match(moved.body, { name: 'second', url: 'http://10.0.0.2' })
  t.match(await lastChange(), { id: moved.body.change_id, ...scope })
  const renamed = await theOperator.patch(one, { name: 'third' })
  t.match(renamed.body, { name: 'third', url: 'http://10.0.0.2' })
  const removed = await theOperator.delete(one)
  t.match(await lastChange(), { id: removed.body.change_id, ...scope })
  t.equal((await theOperator.delete(one)).status, 404)
  t.equal((await theOperator.get('/v1/chains/ethereum')).body.upstreams.length, 1)
})

t.test('an upstream that cannot be called is refused with the reason', async (t) => {
  const wrong: [string, RegExp][] = [
    ['node.example.com', /must be a URL/],
    ['ftp://node.example.com', /http:/],
    ['ws://node.example.com', /http:/],
    ['https://us%3Aer:pass@node.example.com', /colon/],
    ['https://user:pa%0Ass@node.example.com', /control/],
    ['https://user:pa%ffss@node.example.com', /UTF-8/],
    ['https://user:100%@node.example.com', /UTF-8/],
    [`https://node.example.com/${'é'.repeat(1000)}`, /4000/],
    [`https://node.example.com/${' '.repeat(1400)}x`, /4000/],
    [`https://node.example.com/${'😀'.repeat(400)}`, /4000/],
    ['https://node.example.com/#x', /fragment/],
    ['https://', /must be a URL/],
    [`https://node.example.com/${'x'.repeat(2048)}`, /2048/]
  ]
  for (const [text, reason] of wrong) {
    const input = { name: 'x', url: text }
    const answer = await theOperator.post('/v1/chains/ethereum/upstreams', input)
    t.equal(answer.status, 400, text)
    t.match(answer.body.errors, [{ pointer: '#/url', detail: reason }])
    const inline = { name: 'other', kind: 'rest', upstreams: [input] }
    const chain = await theOperator.post('/v1/chains', inline)
    t.equal(chain.body.errors[0].pointer, '#/upstreams/0/url')
  }
})

t.test('credentials in a URL are sealed with it, and shown nowhere', async (t) => {
  const withCredentials = 'https://bitcoin:pass%20word-9@node.example.com/wallet/main'
  const path = '/v1/chains/ethereum/upstreams'
  const answers = [await theOperator.post(path, { name: 'basic', url: withCredentials })]
  const one = `${path}/${answers[0]?.body.id}`
  answers.push(await theOperator.patch(one, { url: withCredentials }))
  answers.push(await theOperator.get('/v1/chains/ethereum'))
  answers.push(await theOperator.patch(one, { url: `${withCredentials}#x` }))
  for (const { body } of answers) t.notMatch(JSON.stringify(body), /bitcoin|word-9|wallet/)
  t.match(answers[1]?.body, { url: 'https://node.example.com' })
  const [rows] = await plane.database.pool.query('SELECT url FROM upstreams WHERE name = ?', [
    'basic'
  ])
  const [{ url: sealed }] = rows as [{ url: Buffer }]
  t.equal(createSecretBox([secretKey]).open(sealed, answers[0]?.body.id), withCredentials)
  const [records] = await plane.database.pool.query(
    "SELECT detail FROM audit_log WHERE action LIKE 'upstream.%'"
  )
  t.notMatch(JSON.stringify(records), /bitcoin|word-9|wallet/)
  await theOperator.delete(one)
})

t.test('a URL as long as can be sealed is taken', async (t) => {
  const path = '/v1/chains/ethereum/upstreams'
  const start = 'http://n.example/'
  for (const text of [`${start}${'x'.repeat(2048 - start.length)}`, `${start}${'é'.repeat(663)}`]) {
    const added = await theOperator.post(path, { name: 'long', url: text })
    t.equal(added.status, 201)
    t.equal((await theOperator.delete(`${path}/${added.body.id}`)).status, 200)
  }
})

t.test('what a chain cannot be is told', async (t) => {
  const create = (input: object) =>
    theOperator.post('/v1/chains', { name: 'other', kind: 'evm', ...input })
  const taken = await create({ name: 'ethereum' })
  t.match(taken, { status: 409, body: { code: 'name_taken' } })
  for (const input of [
    { name: 'Ethereum' },
    { name: '-x' },
    { name: 'x'.repeat(64) },
    { name: 'a_b' },
    { kind: 'solana' },
    { method_weights: { eth_call: -1 } },
    { method_weights: { eth_call: 1_000_001 } },
    { method_weights: { eth_call: 1.5 } },
    { method_weights: { 'a b': 1 } },
    { method_weights: { '': 1 } }
  ]) {
    t.equal((await create(input)).status, 400, JSON.stringify(input))
  }
})

t.test('a chain that an endpoint uses stays; afterwards it can go', async (t) => {
  const endpoint = await endpointOf(plane, ann, { chain: 'ethereum' })
  const refused = await theOperator.delete('/v1/chains/ethereum')
  t.match(refused, { status: 409, body: { code: 'chain_in_use' } })
  await ann.delete(endpoint.path)
  const removed = await theOperator.delete('/v1/chains/ethereum')
  t.equal(removed.status, 200)
  t.match(await lastChange(), { id: removed.body.change_id, entity: 'chain' })
  t.equal((await ann.get('/v1/chains/ethereum')).status, 404)
  const [rows] = await plane.database.pool.query('SELECT id FROM upstreams')
  t.same(rows, [])
})

t.test('a renamed chain is the same chain to its endpoints', async (t) => {
  await theOperator.post('/v1/chains', { name: 'old-name', kind: 'jsonrpc' })
  const endpoint = await endpointOf(plane, ann, { chain: 'old-name' })
  const renamed = await theOperator.patch('/v1/chains/old-name', { name: 'new-name' })
  t.equal(renamed.status, 200)
  t.equal((await ann.get(endpoint.path)).body.chain, 'new-name')
  const taken = await theOperator.post('/v1/chains', { name: 'third', kind: 'rest' })
  t.equal(taken.status, 201)
  t.equal((await theOperator.patch('/v1/chains/third', { name: 'new-name' })).status, 409)
})

t.test('of many who remove a chain or an upstream at once, one has removed it', async (t) => {
  const theOperator = await operator(plane)
  const { body: chain } = await theOperator.post('/v1/chains', { name: 'brief', kind: 'evm' })
  const node = { name: 'node', url: 'https://node.example.com/' }
  const { body: upstream } = await theOperator.post('/v1/chains/brief/upstreams', node)
  const removeAtOnce = async (path: string) => {
    const all = await Promise.all(Array.from({ length: 8 }, () => theOperator.delete(path)))
    return all.map(({ status }) => status).sort()
  }
  const once = [200, ...Array.from({ length: 7 }, () => 404)]
  t.same(await removeAtOnce(`/v1/chains/brief/upstreams/${upstream.id}`), once)
  t.same(await removeAtOnce(`/v1/chains/${chain.id}`), once)
  const [rows] = await plane.database.pool.query(
    "SELECT action, COUNT(*) AS times FROM audit_log WHERE action LIKE '%.delete' AND target_id IN (?) GROUP BY action ORDER BY action",
    [[chain.id, upstream.id]]
  )
  t.same(rows, [
    { action: 'chain.delete', times: 1 },
    { action: 'upstream.delete', times: 1 }
  ])
})

t.test('the audit log takes the largest change that a body can hold', async (t) => {
  const theOperator = await operator(plane)
  await theOperator.post('/v1/chains', { name: 'heavy', kind: 'evm' })
  const name = (place: number) => `${String(place).padStart(3, '0')}${'"'.repeat(59)}`
  const weights = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [name(at), 10]))
  const { status, body } = await theOperator.patch('/v1/chains/heavy', { method_weights: weights })
  t.equal(status, 200)
  const [rows] = await plane.database.pool.query(
    "SELECT detail FROM audit_log WHERE action = 'chain.update' AND target_id = ?",
    [body.id]
  )
  t.match(JSON.parse((rows as { detail: string }[])[0]?.detail ?? ''), { too_large: true })
})
