// Input that is not what it should be: nothing is coerced, nothing unknown is dropped in silence, every mistake is told
// at once, and bytes that are no request get an answer too.
import { connect } from 'node:net'
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')

async function raw(body: string | null, headers: Record<string, string>) {
  const response = await fetch(`${plane.url}/v1/auth/register`, { method: 'POST', headers, body })
  return { status: response.status, body: await response.json() }
}
const json = { 'content-type': 'application/json' }

t.test('every mistake in a body is told at once, where it is', async (t) => {
  const answer = await ann.post('/v1/auth/register', {
    email: 5,
    password: 'short',
    first_name: '',
    surname: 'x'
  })
  t.equal(answer.status, 400)
  const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)
  t.same(pointers.sort(), [
    '#/email',
    '#/first_name',
    '#/last_name',
    '#/org_name',
    '#/password',
    '#/surname'
  ])
  t.match(
    answer.body.errors.find(({ pointer }: { pointer: string }) => pointer === '#/password'),
    {
      in: 'body',
      detail: /12/
    }
  )
})

t.test('a body must be one JSON object of the declared type', async (t) => {
  for (const body of ['', '{', 'null', '[]', '"x"', '1', '{}x', '{"__proto__":{"x":1}}']) {
    t.equal((await raw(body, json)).status, 400, body)
  }
  t.equal((await raw('{}', { 'content-type': 'text/plain' })).status, 415)
  t.equal((await raw('{}', { 'content-type': 'application/json-patch+json' })).status, 415)
  t.equal((await raw(null, {})).status, 400)
})

t.test('a field that is a number elsewhere, or an object, is not taken for a text', async (t) => {
  for (const email of [1, true, null, {}, ['a@example.com'], { toString: 'x' }]) {
    const { body } = await ann.post('/v1/auth/login', { email, password: 'x' })
    t.match(body.errors, [{ pointer: '#/email', detail: 'must be string' }])
  }
})

t.test('an address that is none is told, and cannot become a mail header', async (t) => {
  for (const email of [
    'nobody',
    '@example.com',
    'a b@example.com',
    'a@b@c',
    'a\r\nBcc: b@c',
    '<a@b>'
  ]) {
    const { status, body } = await ann.post('/v1/auth/register', {
      email,
      password: 'correct horse battery',
      first_name: 'A',
      last_name: 'B',
      org_name: 'C'
    })
    t.equal(status, 400, email)
    t.equal(body.errors[0].pointer, '#/email')
  }
})

t.test('a choice is told with what can be chosen, and what is not known is refused', async (t) => {
  const path = `/v1/orgs/${ann.orgId}/usage`
  const { status, body } = await ann.get(`${path}?step=5m&group_by=methods`)
  t.equal(status, 400)
  t.match(body.errors, [
    { pointer: '#/step', detail: 'must be 1m or 1h or 1d' },
    { pointer: '#/group_by', detail: 'must be endpoint or key or method or chain or outcome' }
  ])
  const summary = await ann.get(`${path}/summary?time_zone=Europe/Berlin`)
  t.match(summary.body.errors, [{ pointer: '#/time_zone', detail: 'is not known here' }])
})

t.test('an id of no form at all names nothing', async (t) => {
  for (const id of ['x', "' OR 1=1 --", '%00', 'ö', '..%2f', 'x'.repeat(200)]) {
    const path = `/v1/orgs/${id.startsWith('%') || id.includes('%2f') ? id : encodeURIComponent(id)}`
    t.equal((await ann.get(path)).status, 404, id)
  }
})

t.test('a path that cannot be decoded is answered as a problem', async (t) => {
  const answer = await ann.get('/v1/orgs/%zz')
  t.equal(answer.status, 400)
  t.match(answer.headers.get('content-type'), /^application\/problem\+json/)
  t.equal(answer.body.code, 'malformed_request')
})

t.test('a request id is kept when it is harmless, and replaced when it is not', async (t) => {
  const withId = (id: string) => ann.get('/v1/me', { 'x-request-id': id })
  t.equal((await withId('my-request_1')).headers.get('x-request-id'), 'my-request_1')
  for (const id of ['short', 'x'.repeat(65), 'with space', '<script>alert(1)']) {
    t.match((await withId(id)).headers.get('x-request-id'), /^[0-9a-f]{24}$/)
  }
})

t.test('bytes that are no request get a problem, and the next client is served', async (t) => {
  const answer = await exchange('NONSENSE\r\n\r\n')
  t.match(answer, /^HTTP\/1\.1 400 /)
  t.match(answer, /application\/problem\+json/)
  const large = await exchange(
    `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`
  )
  t.match(large, /^HTTP\/1\.1 431 /)
  t.match(large, /"code":"headers_too_large"/)
  t.equal((await ann.get('/v1/me')).status, 200)
})

t.test('two Host headers are refused: two servers could read them in two ways', async (t) => {
  const head = 'GET /openapi.json HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n'
  t.match(await exchange(head), /^HTTP\/1\.1 400 [\s\S]*more than one Host/)
})

t.test('a body that is not UTF-8 is refused, not repaired', async (t) => {
  const body = new Uint8Array(Buffer.from('{"first_name":"J\xfcrgen"}', 'latin1'))
  const response = await fetch(`${plane.url}/v1/me`, {
    method: 'PATCH',
    headers: { ...json, authorization: `Bearer ${ann.token}` },
    body
  })
  t.equal(response.status, 400)
  t.match(await response.json(), { code: 'malformed_request', detail: /UTF-8/ })
})

t.test('an empty body is none, whatever its type says', async (t) => {
  const endpoint = await endpointOf(plane, ann)
  const send = (method: string, path: string) => ann.send(method, path, undefined, json)
  const revoked = await send('POST', `${endpoint.path}/keys/${endpoint.keys[0].id}/revoke`)
  t.match(revoked, { status: 200, body: { keys: [{ status: 'revoked' }] } })
  t.equal((await send('DELETE', endpoint.path)).status, 200)
  t.match(await send('PATCH', '/v1/me'), { status: 400, body: { errors: [{ in: 'body' }] } })
})

t.test('a name has something to see, and does not turn the text around it', async (t) => {
  for (const name of ['\u3164', '\u2800', '\u115f \u1160', 'a\u200fb', '\u061ca', ' ', '\u200b']) {
    const { status, body } = await ann.post('/v1/orgs', { name })
    t.match({ status, errors: body.errors }, { status: 400, errors: [{ pointer: '#/name' }] })
  }
  t.equal((await ann.post('/v1/orgs', { name: 'שלום 👩‍🚀 日本' })).status, 201)
})

async function exchange(bytes: string): Promise<string> {
  const socket = connect(plane.port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text
  })
  socket.write(bytes)
  await new Promise((resolve) => socket.on('close', resolve))
  return answer
}
