// The table of changes-under-way.test.ts: what changes, and what becomes of a request in each state.
import { eq } from 'drizzle-orm'
import { appendChange } from '../../../drizzle/change-log.ts'
import type { Database } from '../../../drizzle/client.ts'
import { chains, upstreams } from '../../../drizzle/schema/index.ts'
import type { RawUpstream } from './raw-upstream.ts'
import type { Tenant } from './tenant.ts'

export const states = ['head', 'body', 'key', 'queued', 'sent', 'streaming'] as const
export type State = (typeof states)[number]

/** A request is open to what changes until body and key are there, then admitted; at the upstream it is past all changes. */
export const columns = {
  head: 'open',
  body: 'open',
  key: 'open',
  queued: 'queued',
  sent: 'atUpstream',
  streaming: 'atUpstream'
} as const

interface Outcome {
  readonly outcome: string
  readonly why: string
}

const admitted = { outcome: '200', why: 'it was admitted and charged before' }
const asked = { outcome: '200', why: 'the upstream has been asked, and its answer is paid for' }
const gone = { outcome: '502 upstream_unavailable', why: 'there is nobody left to ask' }

const refused = (change: ChangeName, outcome: string, why: string) => ({
  change,
  outcomes: { open: { outcome, why }, queued: admitted, atUpstream: asked }
})

export const table: readonly {
  change: ChangeName
  outcomes: Record<'open' | 'queued' | 'atUpstream', Outcome>
}[] = [
  refused('key revoked', '401 key_revoked', 'the key is revoked before it is used'),
  refused('key rotated', '401 key_revoked', 'the old key is revoked before it is used'),
  refused('key expired', '401 key_expired', 'the key has expired before it is used'),
  refused('endpoint paused', '401 endpoint_disabled', 'a paused endpoint takes no calls'),
  refused('origins changed', '401 origin_not_allowed', 'its origin is not on the list'),
  refused('addresses changed', '401 ip_not_allowed', 'its address is not on the list'),
  refused('limits lowered', '400 cost_too_high', 'it costs more than the burst that is in force'),
  refused('limits raised', '200', 'it fits the burst that is in force'),
  { change: 'chain deleted', outcomes: { open: gone, queued: gone, atUpstream: asked } },
  {
    change: 'upstream moved',
    outcomes: {
      open: { outcome: '200 moved', why: 'the chain leads to the new upstream' },
      queued: { outcome: '200 moved', why: 'it was not sent, and the old upstream is left' },
      atUpstream: asked
    }
  },
  { change: 'upstream removed', outcomes: { open: gone, queued: gone, atUpstream: asked } }
]

export interface Case {
  /** Of the change in the log. */
  readonly id: number
  /** The key that takes over. */
  readonly secret?: string
}

interface Target {
  readonly tenant: Tenant
  readonly second: RawUpstream
  readonly database: Database
}

type ChangeName = keyof typeof changes

export const changes = {
  'key revoked': async ({ tenant }: Target): Promise<Case> => ({
    id: await tenant.updateKey({ revokedAt: new Date() })
  }),
  'key rotated': async ({ tenant }: Target): Promise<Case> => {
    const { secret } = await tenant.addKey()
    return { id: await tenant.updateKey({ revokedAt: new Date() }), secret }
  },
  'key expired': async ({ tenant }: Target): Promise<Case> => ({
    id: await tenant.updateKey({ expiresAt: new Date(Date.now() - 60_000) })
  }),
  'endpoint paused': async ({ tenant }: Target): Promise<Case> => ({
    id: await tenant.updateEndpoint({ status: 'paused' })
  }),
  'origins changed': async ({ tenant }: Target): Promise<Case> => ({
    id: await tenant.updateEndpoint({ allowedOrigins: ['https://a.example'] })
  }),
  'addresses changed': async ({ tenant }: Target): Promise<Case> => ({
    id: await tenant.updateEndpoint({ allowedIps: ['192.0.2.0/24'] })
  }),
  'limits lowered': async ({ tenant }: Target): Promise<Case> => ({
    id: await tenant.updateEndpoint({ requestsPerSecond: 1, burst: 1 })
  }),
  'limits raised': async ({ tenant }: Target): Promise<Case> => ({
    id: await tenant.updateEndpoint({ requestsPerSecond: 1000, burst: 1000 })
  }),
  'chain deleted': ({ tenant, database }: Target): Promise<Case> => remove(database, tenant, true),
  'upstream moved': async ({ tenant, second }: Target): Promise<Case> => ({
    id: await tenant.updateUpstream(second.url)
  }),
  'upstream removed': ({ tenant, database }: Target): Promise<Case> =>
    remove(database, tenant, false)
}

async function remove({ orm }: Database, tenant: Tenant, withChain: boolean): Promise<Case> {
  const { chainId, upstreamId } = tenant
  const scope = { orgId: null, endpointId: null, chainId }
  const id = await orm.transaction(async (tx) => {
    await tx.delete(upstreams).where(eq(upstreams.chainId, chainId))
    if (!withChain) {
      return await appendChange(tx, { entity: 'upstream', entityId: upstreamId, ...scope })
    }
    await tx.delete(chains).where(eq(chains.id, chainId))
    return await appendChange(tx, { entity: 'chain', entityId: chainId, ...scope })
  })
  return { id }
}
