// The tenants of a gateway under test: one org, and for each key an endpoint of its own, so that as many keys are as many
// buckets and quotas. Written by the code of the tree that the gateway runs from, which may be another commit.
import { join } from 'node:path'
import { narrowLimit, type Setup, wideLimit } from './contestant.ts'

const rowsPerInsert = 500
/** Never reached. */
const dailyQuota = 1_000_000_000_000
const statementTimeoutMs = 60_000

export interface TenantsSetup extends Pick<Setup, 'keys' | 'limitedKey' | 'upstreamPort'> {
  /** The tree whose database this is. */
  readonly root: string
  readonly databaseUrl: string
  readonly secretKey: string
}

/** Migrates the empty database and writes the tenants. */
export async function seedTenants(setup: TenantsSetup): Promise<void> {
  const code = await loadCode(setup.root)
  const database = code.client.openDatabase(setup.databaseUrl, { statementTimeoutMs })
  try {
    await code.migrations.migrate(database)
    await seed(database.orm, code, setup)
  } finally {
    await database.close()
  }
}

type Code = Awaited<ReturnType<typeof loadCode>>
type Orm = ReturnType<Code['client']['openDatabase']>['orm']

async function seed(orm: Orm, code: Code, setup: TenantsSetup): Promise<void> {
  const { ids, schema, box } = code
  const now = new Date()
  const times = { createdAt: now, updatedAt: now }
  const [orgId, chainId, upstreamId] = [ids.newId('org'), ids.newId('chn'), ids.newId('ups')]
  await orm
    .insert(schema.orgs)
    .values({ id: orgId, name: 'Bench', ...wideLimit, dailyQuota, ...times })
  const methodWeights = { eth_call: 2, eth_getLogs: 10 }
  await orm
    .insert(schema.chains)
    .values({ id: chainId, name: 'bench', kind: 'evm', methodWeights, ...times })
  const upstreamUrl = `http://127.0.0.1:${setup.upstreamPort}/`
  const url = box.createSecretBox([setup.secretKey]).seal(upstreamUrl, upstreamId)
  await orm
    .insert(schema.upstreams)
    .values({ id: upstreamId, chainId, name: 'bench', url, ...times })
  const secrets = [...setup.keys, setup.limitedKey]
  for (let at = 0; at < secrets.length; at += rowsPerInsert) {
    const tenants = secrets.slice(at, at + rowsPerInsert).map((secret) => ({
      secret,
      endpointId: ids.newId('ep'),
      limit: secret === setup.limitedKey ? narrowLimit : wideLimit
    }))
    await seedEndpoints(orm, code, tenants, { orgId, chainId, now })
  }
}

interface Tenant {
  readonly secret: string
  readonly endpointId: string
  readonly limit: typeof wideLimit | typeof narrowLimit
}

interface Owner {
  readonly orgId: string
  readonly chainId: string
  readonly now: Date
}

/** Each with one key. */
async function seedEndpoints(
  orm: Orm,
  { ids, schema, apiKey }: Code,
  tenants: readonly Tenant[],
  { orgId, chainId, now }: Owner
): Promise<void> {
  await orm.insert(schema.endpoints).values(
    tenants.map(({ endpointId, limit }) => ({
      id: endpointId,
      orgId,
      chainId,
      name: 'Bench',
      status: 'active' as const,
      ...limit,
      dailyQuota,
      createdAt: now,
      updatedAt: now
    }))
  )
  await orm.insert(schema.apiKeys).values(
    tenants.map(({ secret, endpointId }) => ({
      id: ids.newId('key'),
      endpointId,
      hash: apiKey.hashApiKey(secret),
      ...apiKey.publicFormOf(secret),
      createdAt: now
    }))
  )
}

/** Throws when that tree is so old that it has no such files. */
async function loadCode(root: string) {
  const at = (file: string) => join(root, 'drizzle', file)
  return {
    client: (await import(at('client.ts'))) as typeof import('../../drizzle/client.ts'),
    migrations: (await import(at('migrate.ts'))) as typeof import('../../drizzle/migrate.ts'),
    apiKey: (await import(at('api-key.ts'))) as typeof import('../../drizzle/api-key.ts'),
    ids: (await import(at('ids.ts'))) as typeof import('../../drizzle/ids.ts'),
    schema: (await import(at('schema/index.ts'))) as typeof import('../../drizzle/schema/index.ts'),
    box: (await import(at('secret-box.ts'))) as typeof import('../../drizzle/secret-box.ts')
  }
}
