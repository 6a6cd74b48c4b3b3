// What a body of 64 KB costs, whatever is in it: no caller can make the one event loop stand still. Processor time is
// counted, not the time that passes, so a busy machine changes nothing. The bound is generous: a body that costs more
// than its size costs seconds.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'
import { fill, operationsOf } from './support/routes.ts'

const bodyBytes = 65_000
const cpuMsMax = 400

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const theOperator = await operator(plane)
const endpoint = await endpointOf(plane, ann)
const places = {
  org: ann.orgId,
  endpoint: endpoint.id,
  key: endpoint.keys[0].id,
  chain: 'demo',
  upstream: 'ups_none',
  change: '1',
  user: 'usr_none'
}

const repeat = (unit: string, overhead = 40) =>
  unit.repeat(Math.floor((bodyBytes - overhead) / unit.length))
const listOf = (item: string) => `[${repeat(`${item},`).slice(0, -1)}]`
const nested = (open: string, close: string) => {
  const depth = Math.floor((bodyBytes - 40) / (open.length + close.length + 1))
  return `${open.repeat(depth)}1${close.repeat(depth)}`
}
const members = (value: string) => {
  const all = Array.from({ length: 5000 }, (_, place) => `"k${place}":${value}`)
  return `{${all.join()}}`
}

const values: Record<string, string> = {
  'a list of equal numbers': listOf('1'),
  'a list of equal texts': listOf('"eth_call"'),
  'a list of different texts': `[${Array.from({ length: 7000 }, (_, place) => `"m${place}"`).join()}]`,
  'a list of empty lists': listOf('[]'),
  'lists in lists': nested('[', ']'),
  'objects in objects': nested('{"a":', '}'),
  'a list of nested lists': `[${nested('[', ']')}]`,
  'a long text': `"${repeat('a')}"`,
  'a long text of surrogates': `"${repeat('😀')}"`,
  'a long text of spaces': `"${repeat(' ')}"`,
  'many members': members('1'),
  'many members with text': members('"x"')
}

interface BodySchema {
  properties?: Record<string, unknown>
}
const document = plane.app.swagger() as unknown as {
  paths: Record<
    string,
    Record<string, { requestBody?: { content: { 'application/json': { schema: BodySchema } } } }>
  >
}

async function cpuMsOf(method: string, path: string, body: string): Promise<[number, number]> {
  const { token } = path.startsWith('/v1/chains') ? theOperator : ann
  const before = process.cpuUsage()
  const response = await fetch(plane.url + path, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body
  })
  await response.arrayBuffer()
  const { user, system } = process.cpuUsage(before)
  return [response.status, (user + system) / 1000]
}

for (const { id, method, path } of operationsOf(plane)) {
  const schema =
    document.paths[path]?.[method.toLowerCase()]?.requestBody?.content['application/json'].schema
  if (schema === undefined) continue
  t.test(`${method} ${path}: the worst 64 KB cost no more than ${cpuMsMax} ms`, async (t) => {
    const bodies = Object.entries(schema.properties ?? {}).flatMap(([name]) =>
      Object.entries(values).map(([what, value]) => [`${name}: ${what}`, `{"${name}":${value}}`])
    )
    bodies.push(['unknown members', members('1')], ['lists in lists', nested('[', ']')])
    for (const [what = '', body = ''] of bodies) {
      const [status, cpuMs] = await cpuMsOf(method, fill(path, places), body)
      t.ok(status >= 400 && status < 500, `${id}, ${what}: refused, with ${status}`)
      t.ok(cpuMs < cpuMsMax, `${id}, ${what}: ${cpuMs} ms`)
    }
  })
}

t.test('more unknown members than are listed still name some', async (t) => {
  const { status, body } = await ann.patch('/v1/me', JSON.parse(members('1')))
  t.equal(status, 400)
  t.ok(body.errors.length > 0 && body.errors.length <= 20)
  t.match(body.errors[0], { in: 'body', pointer: '#/k0', detail: 'is not known here' })
})

t.test('a value that is in a list twice is told, with its place', async (t) => {
  const { status, body } = await ann.patch(endpoint.path, {
    allowed_methods: ['eth_call', 'eth_chainId', 'eth_call']
  })
  t.equal(status, 400)
  t.match(body.errors, [{ pointer: '#/allowed_methods/2', detail: 'is in the list already' }])
})
