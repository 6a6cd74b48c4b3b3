// An org with a chain, an endpoint and a key, written as the control plane would write them, and the changes to them.
import { eq } from 'drizzle-orm'
import { hashApiKey, newApiKey, publicFormOf } from '../../../drizzle/api-key.ts'
import { appendChange } from '../../../drizzle/change-log.ts'
import type { Database } from '../../../drizzle/client.ts'
import { newId } from '../../../drizzle/ids.ts'
import { apiKeys, chains, endpoints, orgs, upstreams } from '../../../drizzle/schema/index.ts'
import { createSecretBox } from '../../../drizzle/secret-box.ts'
import { testSecretKey } from './gateway-process.ts'

type OrgRow = typeof orgs.$inferInsert
type ChainRow = typeof chains.$inferInsert
type EndpointRow = typeof endpoints.$inferInsert
type KeyRow = typeof apiKeys.$inferInsert

export interface TenantOptions {
  readonly upstreamUrl?: string
  /** A chain that is there already; by default one of its own. */
  readonly chainId?: string
  readonly org?: Partial<OrgRow>
  readonly chain?: Partial<ChainRow>
  readonly endpoint?: Partial<EndpointRow>
  readonly key?: Partial<KeyRow>
  readonly secret?: string
}

export interface Tenant {
  readonly orgId: string
  readonly chainId: string
  readonly endpointId: string
  readonly keyId: string
  readonly upstreamId: string
  readonly secret: string
  /** Each resolves to the id of the change. */
  updateKey(values: Partial<KeyRow>): Promise<number>
  updateEndpoint(values: Partial<EndpointRow>): Promise<number>
  updateOrg(values: Partial<OrgRow>): Promise<number>
  updateChain(values: Partial<ChainRow>): Promise<number>
  updateUpstream(url: string): Promise<number>
  /** Another key of the same endpoint. */
  addKey(values?: Partial<KeyRow>, secret?: string): Promise<{ keyId: string; secret: string }>
  /** Another endpoint of the same org and chain, with a key. */
  addEndpoint(values?: Partial<EndpointRow>): Promise<{ endpointId: string; secret: string }>
}

export async function createTenant(
  database: Database,
  options: TenantOptions = {}
): Promise<Tenant> {
  const { orm } = database
  const box = createSecretBox([testSecretKey])
  const at = new Date()
  const stamps = { createdAt: at, updatedAt: at }
  const orgId = newId('org')
  const chainId = options.chainId ?? newId('chn')
  const upstreamId = newId('ups')
  // At once, as the control plane writes them: a gateway that reads the chains meanwhile finds no half of one.
  await orm.transaction(async (tx) => {
    await tx.insert(orgs).values({ id: orgId, name: 'Acme', ...stamps, ...options.org })
    if (options.chainId !== undefined) return
    await tx.insert(chains).values({
      id: chainId,
      name: `chain-${chainId.slice(-8)}`,
      kind: 'evm',
      methodWeights: {},
      ...stamps,
      ...options.chain
    })
    if (options.upstreamUrl === undefined) return
    const url = box.seal(options.upstreamUrl, upstreamId)
    await tx.insert(upstreams).values({ id: upstreamId, chainId, name: 'node', url, ...stamps })
  })

  async function addKeyTo(endpointId: string, values: Partial<KeyRow>, secret = newApiKey()) {
    const keyId = newId('key')
    const row = { id: keyId, endpointId, hash: hashApiKey(secret), createdAt: at }
    await orm.insert(apiKeys).values({ ...row, ...publicFormOf(secret), ...values })
    return { keyId, secret }
  }

  async function addEndpoint(values: Partial<EndpointRow> = {}, key: Partial<KeyRow> = {}) {
    const endpointId = newId('ep')
    const row = { id: endpointId, orgId, chainId, name: 'main', status: 'active' as const }
    await orm.insert(endpoints).values({ ...row, ...stamps, ...values })
    return { endpointId, ...(await addKeyTo(endpointId, key, options.secret)) }
  }

  const { endpointId, keyId, secret } = await addEndpoint(options.endpoint, options.key)
  // As the control plane does: the creation of a chain is a change too.
  await orm.transaction((tx) =>
    appendChange(tx, { entity: 'chain', entityId: chainId, orgId: null, endpointId: null, chainId })
  )
  return {
    ...changesTo(database, { orgId, chainId, endpointId, keyId, upstreamId }),
    orgId,
    chainId,
    endpointId,
    keyId,
    upstreamId,
    secret,
    addKey: (values = {}, newSecret) => addKeyTo(endpointId, values, newSecret),
    addEndpoint: async (values = {}) => {
      const added = await addEndpoint(values)
      return { endpointId: added.endpointId, secret: added.secret }
    }
  }
}

type Ids = Pick<Tenant, 'orgId' | 'chainId' | 'endpointId' | 'keyId' | 'upstreamId'>

function changesTo({ orm }: Database, { orgId, chainId, endpointId, keyId, upstreamId }: Ids) {
  const box = createSecretBox([testSecretKey])
  const ofEndpoint = { orgId, endpointId, chainId: null }
  const ofOrg = { orgId, endpointId: null, chainId: null }
  const ofChain = { orgId: null, endpointId: null, chainId }
  return {
    updateKey: (values: Partial<KeyRow>) =>
      orm.transaction(async (tx) => {
        await tx.update(apiKeys).set(values).where(eq(apiKeys.id, keyId))
        return await appendChange(tx, { entity: 'key', entityId: keyId, ...ofEndpoint })
      }),
    updateEndpoint: (values: Partial<EndpointRow>) =>
      orm.transaction(async (tx) => {
        await tx.update(endpoints).set(values).where(eq(endpoints.id, endpointId))
        return await appendChange(tx, { entity: 'endpoint', entityId: endpointId, ...ofEndpoint })
      }),
    updateOrg: (values: Partial<OrgRow>) =>
      orm.transaction(async (tx) => {
        await tx.update(orgs).set(values).where(eq(orgs.id, orgId))
        return await appendChange(tx, { entity: 'org', entityId: orgId, ...ofOrg })
      }),
    updateChain: (values: Partial<ChainRow>) =>
      orm.transaction(async (tx) => {
        await tx.update(chains).set(values).where(eq(chains.id, chainId))
        return await appendChange(tx, { entity: 'chain', entityId: chainId, ...ofChain })
      }),
    updateUpstream: (url: string) =>
      orm.transaction(async (tx) => {
        const sealed = box.seal(url, upstreamId)
        await tx.update(upstreams).set({ url: sealed }).where(eq(upstreams.id, upstreamId))
        return await appendChange(tx, { entity: 'upstream', entityId: upstreamId, ...ofChain })
      })
  }
}
