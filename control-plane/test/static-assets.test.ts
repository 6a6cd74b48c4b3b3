// What is large and never changes costs a caller's request next to nothing: compressed, tagged, and kept by browsers.
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())

/** As it comes: fetch would decompress it. */
async function get(path: string, headers: Record<string, string> = {}) {
  const {
    statusCode,
    headers: answered,
    rawPayload
  } = await plane.app.inject({ url: path, headers })
  return { status: statusCode, headers: answered, body: rawPayload }
}

const assets = [
  { path: '/docs/js/scalar.js', type: 'application/javascript; charset=utf-8', part: 0.3 },
  { path: '/openapi.json', type: 'application/json; charset=utf-8', part: 0.3 }
]
for (const { path, type, part } of assets) {
  t.test(`${path}: plain, compressed or not at all, as the client asks`, async (t) => {
    const plain = await get(path)
    t.match(plain, { status: 200, headers: { 'content-type': type, vary: 'accept-encoding' } })
    t.equal(plain.headers['content-encoding'], undefined)
    const small = await get(path, { 'accept-encoding': 'br, gzip;q=0.5' })
    t.match(small, { status: 200, headers: { 'content-encoding': 'gzip', 'content-type': type } })
    t.ok(small.body.length < plain.body.length * part)
    t.ok(gunzipSync(small.body).equals(plain.body))
    t.not(small.headers.etag, plain.headers.etag)
    for (const [answer, asked] of [
      [plain, {}],
      [small, { 'accept-encoding': 'gzip' }]
    ] as const) {
      const known = await get(path, { ...asked, 'if-none-match': `"x", W/${answer.headers.etag}` })
      t.equal(known.status, 304)
      t.equal(known.body.length, 0)
      t.equal(known.headers.etag, answer.headers.etag)
    }
    t.equal(
      (await get(path, { 'accept-encoding': 'gzip;q=0' })).headers['content-encoding'],
      undefined
    )
  })
}

t.test(
  'the script of the reference is kept for a day, the contract is asked for again',
  async (t) => {
    t.equal((await get('/docs/js/scalar.js')).headers['cache-control'], 'max-age=86400')
    t.equal((await get('/openapi.json')).headers['cache-control'], 'no-cache')
  }
)
