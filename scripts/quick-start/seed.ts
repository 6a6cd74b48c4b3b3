// The demo data: an operator, an org `demo`, a chain `demo` whose upstream is the demo chain node, and an endpoint with
// an api key. All of it goes through the public REST API, and all of it is looked for before it is made, so a second
// start finds what the first one left: the same key, the same password.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { childEnvironment, projectRoot } from '../config.ts'
import { Setback } from '../setback.ts'
import { type RestClient, RestFailure } from './rest-client.ts'

const run = promisify(execFile)
export const operatorEmail = 'operator@sluice.localhost'
const demoName = 'demo'
const operatorTimeoutMs = 60_000

export interface Seed {
  operatorPassword: string
  orgId: string
  endpointId: string
  apiKey: string
}

export interface SeedOptions {
  rest: RestClient
  databaseUrl: string
  /** The URL of the demo chain node. */
  upstreamUrl: string
  /** What an earlier start left, if any. */
  earlier: Seed | undefined
  signal: AbortSignal
}

interface Named {
  id: string
  name: string
}
interface Chain extends Named {
  upstreams?: (Named & { url: string })[]
}
interface Endpoint extends Named {
  keys: ApiKey[]
}
interface ApiKey {
  id: string
  prefix: string
  last4: string
  secret?: string
  expires_at: string | null
  revoked_at?: string | null
}

/** Throws Setback with the answer that was not expected. */
export async function seedDemo(options: SeedOptions): Promise<Seed> {
  const { operatorPassword, rest } = await logIn(options)
  await ensureChain(rest, options.upstreamUrl)
  const orgs = await rest.list<Named>('/v1/orgs')
  const org = pick(orgs, options.earlier?.orgId) ?? (await createDemoOrg(rest))
  const path = `/v1/orgs/${org.id}/endpoints`
  const endpoint =
    pick(await rest.list<Endpoint>(path), options.earlier?.endpointId) ??
    (await rest.post<Endpoint>(path, { name: demoName, chain: demoName }))
  const apiKey = await findSecret(rest, `${path}/${endpoint.id}`, endpoint, options.earlier?.apiKey)
  return { operatorPassword, orgId: org.id, endpointId: endpoint.id, apiKey }
}

/** Without a limit: whoever tries the product out is not to meet one. */
async function createDemoOrg(rest: RestClient): Promise<Named> {
  const { id } = await rest.post<Named>('/v1/orgs', { name: demoName })
  const unlimited = { requests_per_second: null, burst: null, daily_quota: null }
  return await rest.patch<Named>(`/v1/orgs/${id}`, unlimited)
}

/** The one we made before, else one of that name. */
function pick<T extends Named>(items: readonly T[], id: string | undefined): T | undefined {
  return items.find((item) => item.id === id) ?? items.find((item) => item.name === demoName)
}

async function logIn(
  options: SeedOptions
): Promise<{ operatorPassword: string; rest: RestClient }> {
  const known = options.earlier?.operatorPassword
  const token = known === undefined ? undefined : await requestToken(options.rest, known)
  if (known !== undefined && token !== undefined) {
    return { operatorPassword: known, rest: options.rest.withToken(token) }
  }
  // A new database, or a password that somebody changed: the operator command makes both good.
  const operatorPassword = await makeOperator(options)
  const fresh = await requestToken(options.rest, operatorPassword)
  if (fresh === undefined) throw new Setback('the operator that was made just now cannot log in')
  return { operatorPassword, rest: options.rest.withToken(fresh) }
}

/** Undefined when the password is not (or no longer) right. */
async function requestToken(rest: RestClient, password: string): Promise<string | undefined> {
  try {
    const login = { email: operatorEmail, password }
    return (await rest.post<{ access_token: string }>('/v1/auth/login', login)).access_token
  } catch (error) {
    if (error instanceof RestFailure && error.status === 401) return undefined
    throw error
  }
}

async function makeOperator({ databaseUrl, signal }: SeedOptions): Promise<string> {
  const args = ['scripts/operator.ts', '--email', operatorEmail, '--json']
  try {
    const { stdout } = await run(process.execPath, args, {
      cwd: projectRoot,
      env: childEnvironment({ DATABASE_URL: databaseUrl }),
      timeout: operatorTimeoutMs,
      signal
    })
    return (JSON.parse(stdout) as { password: string }).password
  } catch (error) {
    const words = (error as { stderr?: string }).stderr?.trim() || (error as Error).message
    throw new Setback(`the operator account could not be made: ${words}`, { cause: error })
  }
}

/** The demo chain node may have moved to another port since. */
async function ensureChain(rest: RestClient, upstreamUrl: string): Promise<void> {
  const chains = await rest.list<Chain>('/v1/chains')
  const chain = chains.find((candidate) => candidate.name === demoName)
  const upstream = { name: demoName, url: upstreamUrl }
  if (chain === undefined) {
    await rest.post('/v1/chains', { name: demoName, kind: 'evm', upstreams: [upstream] })
    return
  }
  const existing = (chain.upstreams ?? []).find((candidate) => candidate.name === demoName)
  const path = `/v1/chains/${chain.id}/upstreams`
  if (existing === undefined) await rest.post(path, upstream)
  else if (existing.url.replace(/\/$/, '') !== upstreamUrl) {
    await rest.patch(`${path}/${existing.id}`, { url: upstreamUrl })
  }
}

/** The key we gave out before as long as it is alive; else one is revealed, or, where that is switched off, made. */
async function findSecret(
  rest: RestClient,
  path: string,
  endpoint: Endpoint,
  earlier: string | undefined
): Promise<string> {
  const keys = endpoint.keys.filter((key) => key.expires_at === null && !key.revoked_at)
  const created = keys.find((key) => key.secret !== undefined)?.secret
  if (created !== undefined) return created
  const same = keys.some((key) => earlier?.startsWith(key.prefix) && earlier.endsWith(key.last4))
  if (same && earlier !== undefined) return earlier
  for (const key of keys) {
    try {
      const { secret } = await rest.post<{ secret: string }>(`${path}/keys/${key.id}/reveal`, {})
      return secret
    } catch (error) {
      if (!(error instanceof RestFailure)) throw error
    }
  }
  const rotated = await rest.post<Endpoint>(`${path}/rotate`, { overlap_seconds: 0 })
  const secret = rotated.keys.find((key) => key.secret !== undefined)?.secret
  if (secret === undefined) throw new Setback('the endpoint was rotated but shows no new secret')
  return secret
}
