// What an upstream is sent of its URL: the path as the operator wrote it, both queries, and the credentials as a header;
// and what a reference in its answer is to a client.
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { UpstreamAddress } from '../upstreams/upstream-address.ts'
import { startGateway } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { echo, startUpstream } from './support/upstream.ts'

const at = (rest: string) => new UpstreamAddress(`https://node.example${rest}`)

t.test('a path and a query stay as they were written, and a client adds to them', async (t) => {
  const cases: [string, string, string][] = [
    ['', '/', '/'],
    ['', '/?x=1', '/?x=1'],
    ['', '/a/b?x=1', '/a/b?x=1'],
    ['/ext/bc/C/s-echo/', '/', '/ext/bc/C/s-echo/'],
    ['/ext/bc/C/s-echo/', '/?x=1', '/ext/bc/C/s-echo/?x=1'],
    ['/ext/bc/C/s-echo/', '/a', '/ext/bc/C/s-echo/a'],
    ['/ext/bc/C/s-echo/', '/a/', '/ext/bc/C/s-echo/a/'],
    ['/v2/KEY', '/', '/v2/KEY'],
    ['/v2/KEY', '/?x=1', '/v2/KEY?x=1'],
    ['/v2/KEY', '/a', '/v2/KEY/a'],
    ['/v2/rpc?apikey=S', '/', '/v2/rpc?apikey=S'],
    ['/v2/rpc?apikey=S', '/?x=1', '/v2/rpc?x=1&apikey=S'],
    ['/v2/rpc/?apikey=S', '/?x=1&y=%2F', '/v2/rpc/?x=1&y=%2F&apikey=S'],
    ['?apikey=S', '/', '/?apikey=S'],
    ['?apikey=S', '/a?x=1', '/a?x=1&apikey=S']
  ]
  for (const [base, target, sent] of cases) {
    t.equal(at(base).targetOf(target), sent, `${base} and ${target}`)
  }
})

t.test('a reference below the upstream is the endpoint’s own; what tells of it is dropped', (t) => {
  const address = at('/v2/PROVIDERSECRET?apikey=QUERYSECRET')
  const cases: [string, string | null][] = [
    ['/v2/PROVIDERSECRET/a/b?x=1', '/api=K/a/b?x=1'],
    ['https://node.example/v2/PROVIDERSECRET/a#part', '/api=K/a#part'],
    ['//node.example/v2/PROVIDERSECRET/a', '/api=K/a'],
    ['/v2/PROVIDERSECRET/a?apikey=QUERYSECRET&x=1', '/api=K/a?x=1'],
    ['/v2/PROVIDERSECRET', '/api=K/'],
    ['/v2/PROVIDERSECRET/', '/api=K/'],
    ['next?page=2', '/api=K/items/next?page=2'],
    ['?page=2', '/api=K/items/1?page=2'],
    ['../up', '/api=K/up'],
    ['https://docs.example/page', 'https://docs.example/page'],
    // Not below, another scheme or port of the same host, or a text that tells of the upstream.
    ['/v2', null],
    ['/v2/PROVIDERSECRETX', null],
    ['/other', null],
    ['../../../other', null],
    ['http://node.example/v2/PROVIDERSECRET/a', null],
    ['https://node.example:444/', null],
    ['https://user:pass@node.example/other', null],
    ['https://provider.example/v2/PROVIDERSECRET/', null],
    ['https://login.example/?return=https%3A%2F%2Fnode.example%2F', null],
    ['https://login.example/?key=QUERYSECRET', null],
    ['/v2/PROVIDERSECRET/a?again=PROVIDERSECRET', null],
    ['http://[', null]
  ]
  for (const [reference, own] of cases) {
    t.equal(address.referenceFor(reference, '/items/1', '/api=K'), own, reference)
  }
  t.equal(address.referenceFor('/v2/PROVIDERSECRET/a', '/', ''), '/a', 'with the key in a header')
  t.end()
})

t.test('a text that holds a key, a password or the whole path tells a secret', async (t) => {
  const address = new UpstreamAddress(
    'https://name:pass%20w@node.example/v2/abcdefgh%2Fi/rpc?token=12345678&v=1'
  )
  for (const text of [
    'see /v2/abcdefgh%2Fi/rpc',
    'abcdefgh%2Fi',
    'abcdefgh/i',
    'x=12345678',
    'pass%20w',
    'pass w',
    Buffer.from('name:pass w').toString('base64')
  ]) {
    t.equal(address.tellsSecret(text), true, text)
  }
  for (const text of ['', 'v2', 'rpc', 'token', 'node.example', 'application/json', 'name']) {
    t.equal(address.tellsSecret(text), false, text)
  }
})

t.test('credentials that cannot be sent are refused without being repeated', async (t) => {
  for (const text of [
    'https://us%3Aer:secret-word@node.example',
    'https://user:secret-word%ff@node.example',
    'ftp://user:secret-word@node.example',
    'https://user:secret-word@'
  ]) {
    let message = ''
    try {
      new UpstreamAddress(text)
    } catch (error) {
      message = String(error)
    }
    t.match(message, /Error: /, text)
    t.notMatch(message, 'secret-word')
  }
})

t.test('through the gateway', async (t: Test) => {
  const db = await createTestDatabase()
  const upstream = await startUpstream(echo)
  const gateway = await startGateway({ databaseUrl: db.url })
  t.teardown(async () => {
    await gateway.stop()
    await upstream.stop()
    await db.drop()
  })
  const { host } = new URL(upstream.url)
  const slashed = await createTenant(db.database, { upstreamUrl: `${upstream.url}/s-echo/` })
  const basic = await createTenant(db.database, {
    upstreamUrl: `http://bitc%C3%B6in:p%3A%40%20w%E2%82%AC@${host}/wallet?k=v`,
    chain: { kind: 'jsonrpc' }
  })
  const init = {
    method: 'POST',
    body: '{"jsonrpc":"2.0","id":1,"method":"getblockcount"}',
    headers: { 'x-kept': '1' }
  }
  for (const [target, headers] of [
    [`/api=${slashed.secret}`, {}],
    [`/api=${slashed.secret}?x=1`, {}],
    [`/api=${basic.secret}`, { authorization: 'Basic Y2xpZW50OnB3' }],
    ['/', { authorization: `Bearer ${basic.secret}` }]
  ] as const) {
    const answer = await fetch(gateway.url + target, {
      ...init,
      headers: { ...init.headers, ...headers }
    })
    t.equal(answer.status, 200)
  }
  const [plain, query, ...withCredentials] = upstream.received
  t.equal(plain?.url, '/s-echo/')
  t.equal(plain?.headers.authorization, undefined)
  t.equal(query?.url, '/s-echo/?x=1')
  t.equal(withCredentials.length, 2)
  for (const { url, headers } of withCredentials) {
    t.equal(url, '/wallet?k=v', 'no credentials in the target')
    t.equal(headers.host, host)
    t.equal(headers['x-kept'], '1')
    const [scheme, token = ''] = (headers.authorization ?? '').split(' ')
    t.equal(scheme, 'Basic')
    t.equal(Buffer.from(token, 'base64').toString(), 'bitcöin:p:@ w€', 'in UTF-8, decoded')
  }
  t.notMatch(gateway.output(), /bitc|w€|E2%82/)
})
