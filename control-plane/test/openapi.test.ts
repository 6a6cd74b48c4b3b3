// The published contract: complete, in one version of OpenAPI, and true to what the routes answer.
import t from 'tap'
import { Compile } from 'typebox/compile'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const { body: document } = await plane.client().get('/openapi.json')

interface Operation {
  operationId: string
  summary: string
  description?: string
  tags: string[]
  security?: object[]
  parameters?: { name: string; in: string; schema: object }[]
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}
const isJson = ({ responses }: Operation) =>
  responses['200']?.content?.['application/json'] !== undefined
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
    path,
    method,
    operation
  }))
)

t.test('it is OpenAPI 3.1, and every operation says what it is', async (t) => {
  t.equal(document.openapi, '3.1.0')
  t.ok(operations.length > 25)
  t.match(document, { info: { license: { identifier: 'Apache-2.0' } }, servers: [{ url: '/' }] })
  for (const tag of document.tags) t.ok(tag.description, tag.name)
  for (const { path, method, operation } of operations) {
    const name = `${method} ${path}`
    t.match(operation.operationId, /^[a-z][A-Za-z]+$/, name)
    t.ok(operation.summary, name)
    t.ok(operation.description, `${name} is described`)
    t.ok(Array.isArray(operation.security), `${name} says who may call it`)
    t.equal(operation.tags.length, 1, name)
    t.ok(
      document.tags.some((tag: { name: string }) => tag.name === operation.tags[0]),
      name
    )
    t.ok(
      Object.keys(operation.responses).some((status) => status.startsWith('2')),
      name
    )
    t.ok(operation.responses['4XX']?.content?.['application/problem+json'], name)
    t.notMatch(JSON.stringify(operation.responses), 'Default Response', name)
    for (const [place] of path.matchAll(/\{\w+\}/g)) {
      const parameter = operation.parameters?.find((one) => `{${one.name}}` === place)
      t.equal(parameter?.in, 'path', `${name} declares ${place}`)
    }
  }
})

t.test('every schema in it compiles', async (t) => {
  for (const { path, method, operation } of operations) {
    for (const { content = {} } of Object.values(operation.responses)) {
      for (const { schema } of Object.values(content)) {
        t.doesNotThrow(() => Compile(schema), `${method} ${path}`)
      }
    }
  }
})

t.test('routes that create take an Idempotency-Key', async (t) => {
  const takes = operations
    .filter(({ operation }) =>
      operation.parameters?.some((one) => one.in === 'header' && one.name === 'Idempotency-Key')
    )
    .map(({ operation }) => operation.operationId)
  t.same(takes.sort(), [
    'createChain',
    'createEndpoint',
    'createOrg',
    'createUpstream',
    'rotateKey'
  ])
})

t.test('what is answered is what is promised', async (t) => {
  const ann = await member(plane, 'ann')
  const theOperator = await operator(plane)
  const endpoint = await endpointOf(plane, ann)
  const reads: [string, string, typeof ann | typeof theOperator][] = [
    ['/v1/me', '/v1/me', ann],
    ['/v1/me/audit-log', '/v1/me/audit-log', ann],
    ['/v1/audit-log', '/v1/audit-log', theOperator],
    ['/v1/orgs', '/v1/orgs', ann],
    ['/v1/orgs/{org}/audit-log', `/v1/orgs/${ann.orgId}/audit-log`, ann],
    ['/v1/orgs/{org}', `/v1/orgs/${ann.orgId}`, ann],
    ['/v1/orgs/{org}/endpoints', `/v1/orgs/${ann.orgId}/endpoints`, ann],
    ['/v1/orgs/{org}/endpoints/{endpoint}', endpoint.path, ann],
    ['/v1/orgs/{org}/usage', `/v1/orgs/${ann.orgId}/usage`, ann],
    ['/v1/orgs/{org}/usage/summary', `/v1/orgs/${ann.orgId}/usage/summary`, ann],
    ['/v1/orgs/{org}/endpoints/{endpoint}/usage', `${endpoint.path}/usage`, ann],
    ['/v1/orgs/{org}/endpoints/{endpoint}/usage/summary', `${endpoint.path}/usage/summary`, ann],
    ['/v1/orgs/{org}/endpoints/{endpoint}/errors', `${endpoint.path}/errors`, ann],
    ['/v1/chains', '/v1/chains', theOperator],
    ['/v1/chains/{chain}', '/v1/chains/demo', theOperator],
    ['/v1/changes/{change}', `/v1/changes/${endpoint.change_id}`, ann]
  ]
  for (const [path, url, client] of reads) {
    const schema = document.paths[path].get.responses['200'].content['application/json'].schema
    const { status, body } = await client.get(url)
    t.equal(status, 200, url)
    t.same(Compile(schema).Errors(body), [], url)
  }
  const reading = operations
    .filter(({ method, operation }) => method === 'get' && isJson(operation))
    .map(({ path }) => path)
  t.same(reads.map(([path]) => path).sort(), reading.sort(), 'every GET was read')
})

t.test(
  'the reference is a page that may run its own script, and nobody else may frame it',
  async (t) => {
    const page = await plane.client().get('/docs/')
    t.equal(page.status, 200)
    t.match(page.body, 'createApiReference')
    const policy = page.headers.get('content-security-policy') ?? ''
    t.match(policy, "script-src 'self' 'unsafe-inline'")
    t.match(policy, "frame-ancestors 'none'")
    t.notMatch(page.body, /https?:\/\//, 'it loads nothing from elsewhere')
    const api = await plane.client().get('/openapi.json')
    t.equal(api.headers.get('content-security-policy'), "default-src 'none';frame-ancestors 'none'")
  }
)

t.test('who opens the address in a browser arrives at the reference', async (t) => {
  const answer = await fetch(`${plane.url}/`, { redirect: 'manual' })
  t.equal(answer.status, 302)
  t.equal(answer.headers.get('location'), '/docs')
})
