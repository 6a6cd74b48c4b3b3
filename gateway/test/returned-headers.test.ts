// The headers of a node's answer, as a client gets them: nothing that speaks for the gateway's origin, nothing that tells
// of the upstream's URL, and references in the form that they have at the gateway.
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { referenceInRefresh, referencesInLink } from '../answers/references.ts'
import { startGateway } from './support/gateway-process.ts'
import { requestText, sendRaw } from './support/raw-client.ts'
import { answerText, startRawUpstream } from './support/raw-upstream.ts'
import { createTenant } from './support/tenant.ts'

const db = await createTestDatabase()
const upstream = await startRawUpstream()
const { host } = new URL(upstream.url)
const upstreamUrl = `http://name:pass-word@${host}/v2/PROVIDERSECRET?apikey=QUERYSECRET`
const rest = await createTenant(db.database, { upstreamUrl, chain: { kind: 'rest' } })
const evm = await createTenant(db.database, { upstreamUrl })
const gateway = await startGateway({ databaseUrl: db.url })
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})

const call = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
const result = '{"jsonrpc":"2.0","id":1,"result":"0x1"}'

/** The header lines of the answer when the node answers with `lines`, names in lower case. */
async function linesReturned(
  lines: readonly string[],
  request = requestText('GET', `/api=${rest.secret}/items/1`, { Origin: 'https://app.example' })
): Promise<string[]> {
  upstream.answer = (socket) => socket.write(answerText(result, lines))
  const answer = await sendRaw(gateway.port, request)
  return (answer?.head ?? '').split('\r\n').slice(1)
}

async function returned(line: string, request?: string): Promise<string | undefined> {
  const name = line.slice(0, line.indexOf(':')).toLowerCase()
  const lines = await linesReturned([line], request)
  return lines.find((one) => one.startsWith(`${name}: `))?.slice(name.length + 2)
}

t.test(
  'what speaks for an origin, asks for credentials or names what stands behind ends here',
  async (t) => {
    const lines = [
      'Alt-Svc: h3=":443"',
      'Strict-Transport-Security: max-age=63072000; includeSubDomains; preload',
      'NEL: {"report_to":"default"}',
      'Report-To: {"group":"default"}',
      'Reporting-Endpoints: default="https://reports.example"',
      'Clear-Site-Data: "*"',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'WWW-Authenticate: Basic realm="provider"',
      'Proxy-Authenticate: Basic',
      'Server: node/1.2',
      'Via: 1.1 inner-host',
      'X-Powered-By: PHP',
      'X-Accel-Redirect: /private',
      'Access-Control-Allow-Methods: PURGE',
      'X-Kept: 1'
    ]
    for (const request of [undefined, requestText('POST', `/api=${evm.secret}`, {}, call)]) {
      const names = (await linesReturned(lines, request)).map((line) =>
        line.split(':')[0]?.toLowerCase()
      )
      t.ok(names.includes('x-kept'))
      for (const line of lines.slice(0, -1)) {
        t.notOk(names.includes(line.split(':')[0]?.toLowerCase()), line)
      }
    }
  }
)

t.test('a browser may read what the node exposes, beside the gateway’s own', async (t) => {
  const own = 'X-Request-Id, Retry-After, RateLimit, RateLimit-Policy'
  const exposed = async (lines: string[], request?: string) =>
    (await linesReturned(lines, request))
      .filter((line) => line.startsWith('Access-Control-Expose-Headers: '))
      .map((line) => line.slice(31))
  t.same(await exposed([]), [own])
  const cursor = 'Access-Control-Expose-Headers: x-aptos-cursor'
  t.same(await exposed([cursor]), [`${own}, x-aptos-cursor`])
  t.same(await exposed([cursor, 'access-control-expose-headers: *']), [`${own}, x-aptos-cursor, *`])
  t.same(await exposed(['Access-Control-Expose-Headers: "odd"']), [own])
  t.same(await exposed([cursor], requestText('GET', `/api=${rest.secret}/x`)), [])
  const post = requestText('POST', `/api=${evm.secret}`, { Origin: 'https://app.example' }, call)
  t.same(await exposed([cursor], post), [`${own}, x-aptos-cursor`])
})

t.test('a reference below the upstream is one below the endpoint', async (t) => {
  const own = `/api=${rest.secret}`
  for (const name of ['Location', 'Content-Location']) {
    for (const [reference, expected] of [
      ['/v2/PROVIDERSECRET/jobs/7', `${own}/jobs/7`],
      [`http://${host}/v2/PROVIDERSECRET/jobs/7?apikey=QUERYSECRET&x=1`, `${own}/jobs/7?x=1`],
      ['2', `${own}/items/2`],
      ['https://docs.example/', 'https://docs.example/'],
      ['https://provider.example/v2/PROVIDERSECRET/', undefined],
      [`https://${host}/v2/PROVIDERSECRET/`, undefined],
      ['/elsewhere', undefined]
    ]) {
      t.equal(await returned(`${name}: ${reference}`), expected, `${name}: ${reference}`)
    }
  }
  const byHeader = requestText('GET', '/items/1', { 'X-API-Key': rest.secret })
  t.equal(await returned('Location: /v2/PROVIDERSECRET/a', byHeader), '/a')
  t.equal(
    await returned(`Link: </v2/PROVIDERSECRET/a?p=2>; rel="next", <http://${host}/>; rel="home"`),
    `<${own}/a?p=2>; rel="next"`
  )
  t.equal(await returned(`Link: <https://x.example/>; anchor="http://${host}/v2"`), undefined)
  t.equal(await returned('Refresh: 5; url=/v2/PROVIDERSECRET/a'), `5; url=${own}/a`)
})

t.test('the answer to a call points nowhere', async (t) => {
  const post = requestText('POST', `/api=${evm.secret}`, {}, call)
  for (const line of ['Location: /a', 'Content-Location: /a', 'Link: </a>', 'Refresh: 5; url=/a']) {
    t.equal(await returned(line, post), undefined, line)
  }
})

t.test('no header tells a secret of the upstream’s URL', async (t: Test) => {
  const token = Buffer.from('name:pass-word').toString('base64')
  const lines = [
    'X-Original-Url: /v2/PROVIDERSECRET/items/1',
    'X-Key: PROVIDERSECRET',
    'X-Query: a=1&apikey=QUERYSECRET',
    'X-Word: pass-word',
    `X-Auth: Basic ${token}`,
    'ETag: "PROVIDERSECRET-1"',
    'X-Kept: v2'
  ]
  for (const request of [undefined, requestText('POST', `/api=${evm.secret}`, {}, call)]) {
    const text = (await linesReturned(lines, request)).join('\n')
    t.match(text, 'x-kept: v2')
    t.notMatch(text, new RegExp(`secret|pass-word|${token}`, 'i'))
  }
})

t.test('links and refreshes are read as their grammar says', async (t) => {
  const own = (reference: string) => (reference.startsWith('x') ? null : `/own${reference}`)
  const links: [string, string | null][] = [
    ['</a>; rel="next"', '</own/a>; rel="next"'],
    [' </a> , </b>;title="a, <b>; \\" c" ,', '</own/a>, </own/b>;title="a, <b>; \\" c"'],
    ['</a>, <x>; rel=next', '</own/a>'],
    ['<x>', null],
    ['</a>; title="open', null],
    ['no link', null],
    ['', null]
  ]
  for (const [value, expected] of links) t.equal(referencesInLink(value, own), expected, value)
  const refreshes: [string, string | null][] = [
    ['5', '5'],
    ['5; url=/a', '5; url=/own/a'],
    ["0.5,URL = '/a'", '0.5,URL = /own/a'],
    ['5; url=x', null],
    ['5; /a', null],
    ['soon', null]
  ]
  for (const [value, expected] of refreshes)
    t.equal(referenceInRefresh(value, own), expected, value)
  const many = `${'<'.repeat(16_000)}${'"'.repeat(16_001)}`
  t.equal(referencesInLink(`</a>; title=${'"\\"'.repeat(10_000)}`, own), null)
  t.equal(referencesInLink(many, own), null)
})
