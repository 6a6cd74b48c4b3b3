// Both planes as separate processes on one database, through their front doors only: what is done over REST is in force
// on every thread of every gateway, and `GET /v1/changes/{id}` proves it.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { childEnvironment, projectRoot } from '../config.ts'
import { startDemoChain } from '../demo-chain/demo-chain.ts'
import { findFreePort } from '../ports.ts'
import { createRestClient, type RestClient } from '../quick-start/rest-client.ts'
import { execFileSync, spawn } from './support/processes.ts'
import { until } from './support/until.ts'

interface Endpoint {
  id: string
  url: string
  change_id: number
  keys: { id: string; prefix: string; last4: string; secret?: string; expires_at: string | null }[]
}
interface Change {
  effective: boolean
  effective_at: string | null
  created_at: string
  gateways: { node_id: string; applied: boolean }[]
}

const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
const folder = mkdtempSync(join(tmpdir(), 'sluice-both-planes-'))
const db = await createTestDatabase()
const chain = await startDemoChain({ port: 0 })
const shared = {
  DATABASE_URL: db.url,
  SECRET_KEY: Buffer.alloc(32, 5).toString('base64'),
  SLUICE_DATA_DIR: folder,
  LOG_LEVEL: 'warn'
}
const stops: (() => Promise<unknown>)[] = []

async function startPlane(name: 'gateway' | 'control-plane', env: Record<string, string | number>) {
  const child = spawn(process.execPath, [`${name}/main.ts`], {
    cwd: projectRoot,
    env: childEnvironment({ ...shared, ...env }),
    stdio: 'inherit'
  })
  stops.push(async () => {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  })
}

const ports = {
  first: [await findFreePort(), await findFreePort()] as const,
  second: [await findFreePort(), await findFreePort()] as const,
  rest: [await findFreePort(), await findFreePort()] as const
}
for (const node of ['first', 'second'] as const) {
  await startPlane('gateway', {
    NODE_ID: node,
    GATEWAY_PORT: ports[node][0],
    GATEWAY_ADMIN_PORT: ports[node][1],
    GATEWAY_THREADS: 2,
    DRAIN_DELAY_MS: 0
  })
}
await startPlane('control-plane', {
  JWT_SECRET: 'a secret of more than thirty-two characters',
  CONTROL_PLANE_PORT: ports.rest[0],
  CONTROL_PLANE_ADMIN_PORT: ports.rest[1],
  PUBLIC_RPC_URL: `http://127.0.0.1:${ports.first[0]}`
})
t.teardown(async () => {
  await Promise.all(stops.map((stop) => stop()))
  await chain.stop()
  await db.drop()
  rmSync(folder, { recursive: true, force: true })
})
for (const [, admin] of Object.values(ports)) {
  await until(async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok)
}

const operator = JSON.parse(
  execFileSync(process.execPath, ['scripts/operator.ts', '--email', 'op@example.com', '--json'], {
    cwd: projectRoot,
    env: childEnvironment(shared),
    encoding: 'utf8'
  })
)
const { signal } = new AbortController()
const anonymous = createRestClient(`http://127.0.0.1:${ports.rest[0]}`, signal)
const { email, password } = operator
const login = await anonymous.post<{ access_token: string }>('/v1/auth/login', { email, password })
const rest: RestClient = anonymous.withToken(login.access_token)
const org = await rest.post<{ id: string }>('/v1/orgs', { name: 'Acme' })
const unlimited = { requests_per_second: null, burst: null, daily_quota: null }
await rest.patch(`/v1/orgs/${org.id}`, unlimited)
await rest.post('/v1/chains', {
  name: 'test',
  kind: 'evm',
  upstreams: [{ name: 'node', url: chain.url }]
})
const endpoints = `/v1/orgs/${org.id}/endpoints`
const createEndpoint = (more: object = {}) =>
  rest.post<Endpoint>(endpoints, { name: 'main', chain: 'test', ...more })
const secretOf = (endpoint: Endpoint) =>
  endpoint.keys.find(({ secret }) => secret !== undefined)?.secret ?? ''

/** The statuses that all threads of both gateways answer with. */
async function statuses(secret: string): Promise<number[]> {
  const calls = [ports.first[0], ports.second[0]].flatMap((port) =>
    Array.from({ length: 10 }, async () => {
      const init = { method: 'POST', body, headers: { connection: 'close' } }
      const response = await fetch(`http://127.0.0.1:${port}/api=${secret}`, init)
      await response.arrayBuffer()
      return response.status
    })
  )
  return [...new Set(await Promise.all(calls))]
}

/** Waits until every thread answers so, and checks that the control plane can prove it. */
async function takesEffect(t: Test, changeId: number, secret: string, status: number) {
  await until(async () => {
    const seen = await statuses(secret)
    return seen.length === 1 && seen[0] === status
  })
  const look = () => rest.get<Change>(`/v1/changes/${changeId}`)
  await until(async () => (await look()).effective)
  const change = await look()
  // Keys are cached for an hour: before that, only the change itself can have ended what was cached.
  t.ok(Date.parse(change.effective_at ?? '') >= Date.parse(change.created_at))
  t.same(change.gateways.map(({ node_id }) => node_id).sort(), ['first', 'second'])
}

t.test('an endpoint works as soon as it is created, under the URL that it shows', async (t) => {
  const endpoint = await createEndpoint()
  t.same(await statuses(secretOf(endpoint)), [200])
  const url = endpoint.url.includes('api=')
    ? endpoint.url
    : `${endpoint.url}/api=${secretOf(endpoint)}`
  const response = await fetch(url.replace('<key>', secretOf(endpoint)), { method: 'POST', body })
  t.match(await response.json(), { result: /^0x/ })
})

t.test('rotation without overlap ends the old key on every thread', async (t) => {
  const endpoint = await createEndpoint()
  t.same(await statuses(secretOf(endpoint)), [200])
  const rotated = await rest.post<Endpoint>(`${endpoints}/${endpoint.id}/rotate`, {
    overlap_seconds: 0
  })
  await takesEffect(t, rotated.change_id, secretOf(endpoint), 401)
  t.same(await statuses(secretOf(rotated)), [200])
})

t.test('rotation with an overlap lets both keys work', async (t) => {
  const endpoint = await createEndpoint()
  t.same(await statuses(secretOf(endpoint)), [200])
  const rotated = await rest.post<Endpoint>(`${endpoints}/${endpoint.id}/rotate`, {
    overlap_seconds: 60
  })
  await takesEffect(t, rotated.change_id, secretOf(rotated), 200)
  t.same(await statuses(secretOf(endpoint)), [200])
  const old = rotated.keys.find(({ id }) => id === endpoint.keys[0]?.id)
  const leftMs = Date.parse(old?.expires_at ?? '') - Date.now()
  t.ok(leftMs > 50_000 && leftMs <= 60_000, 'the old key is shown with its end')
})

t.test('a revoked key and a paused endpoint stop, and a resumed one goes on', async (t) => {
  const revoked = await createEndpoint()
  t.same(await statuses(secretOf(revoked)), [200])
  const key = revoked.keys[0]?.id
  const change = await rest.post<Endpoint>(`${endpoints}/${revoked.id}/keys/${key}/revoke`, {})
  await takesEffect(t, change.change_id, secretOf(revoked), 401)

  const paused = await createEndpoint()
  t.same(await statuses(secretOf(paused)), [200])
  const path = `${endpoints}/${paused.id}`
  const pause = await rest.patch<Endpoint>(path, { status: 'paused' })
  await takesEffect(t, pause.change_id, secretOf(paused), 401)
  const resume = await rest.patch<Endpoint>(path, { status: 'active' })
  await takesEffect(t, resume.change_id, secretOf(paused), 200)
})

t.test('a limit that is set over REST limits, and one that is lifted does not', async (t) => {
  const endpoint = await createEndpoint({ daily_quota: 1000 })
  t.same(await statuses(secretOf(endpoint)), [200])
  const path = `${endpoints}/${endpoint.id}`
  const less = await rest.patch<Endpoint>(path, { daily_quota: 1 })
  await takesEffect(t, less.change_id, secretOf(endpoint), 402)
  const none = await rest.patch<Endpoint>(path, { daily_quota: null })
  await takesEffect(t, none.change_id, secretOf(endpoint), 200)
})

t.test(
  'a suspended org opens nothing within 1 s, and a resumed one what it did before',
  async (t) => {
    const other = await rest.post<{ id: string }>('/v1/orgs', { name: 'Other' })
    const created = await rest.post<Endpoint>(`/v1/orgs/${other.id}/endpoints`, {
      name: 'theirs',
      chain: 'test'
    })
    await rest.patch(`/v1/orgs/${other.id}`, unlimited)
    t.same(await statuses(secretOf(created)), [200])
    const act = (name: string) =>
      rest.post<{ change_id: number }>(`/v1/orgs/${other.id}/${name}`, undefined)
    await takesEffect(t, (await act('suspend')).change_id, secretOf(created), 401)
    t.same(await statuses(secretOf(await createEndpoint())), [200], 'nobody else is')
    await takesEffect(t, (await act('resume')).change_id, secretOf(created), 200)
  }
)
