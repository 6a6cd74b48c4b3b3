// Endpoints and their api keys. Everything here happens inside one org that the actor was let into first, and everything
// a gateway must know of returns the id of the change that tells it.
import { actOf } from '../audit/audit-entry.ts'
import type { ChainService } from '../chains/service.ts'
import type { Clock } from '../clock.ts'
import { Failure, invalidFields } from '../errors.ts'
import type { Actor } from '../http/app-type.ts'
import type { PageRequest } from '../http/page.ts'
import { changeLimits, type LimitChange, noLimits } from '../limits.ts'
import type { OrgService } from '../orgs/service.ts'
import type { KeyMint } from './key-mint.ts'
import type {
  ApiKeyRow,
  EndpointPlace,
  EndpointRepo,
  EndpointRow,
  EndpointView,
  KeyEnding
} from './repo.ts'
import { changeRestrictions, noRestrictions, type RestrictionInput } from './restrictions.ts'

/** Keys that open one endpoint at once: rotations with a long overlap add up. */
const liveKeysMax = 10
/** A key that has ended is shown for so long, so that its owner sees what became of it. */
const endedKeysShownMs = 30 * 86_400_000

export interface EndpointServiceDeps {
  repo: EndpointRepo
  orgs: Pick<OrgService, 'requireOrg'>
  chains: Pick<ChainService, 'requireChain'>
  keyMint: KeyMint
  clock: Clock
  newId: (prefix: 'ep') => string
  config: { keyReveal: boolean; endpointsPerOrgMax: number }
}

export type EndpointInput = { name: string; chain: string } & LimitChange & RestrictionInput
export type EndpointChange = {
  name?: string
  status?: EndpointRow['status']
} & LimitChange &
  RestrictionInput

/** An endpoint, with the secret of one of its keys when it may be shown. */
export interface ShownEndpoint {
  view: EndpointView
  shown: { keyId: string; secret: string } | null
  now: Date
}
export interface ChangedEndpoint extends ShownEndpoint {
  changeId: number
}

export interface RevealedKey {
  key: ApiKeyRow
  secret: string
  now: Date
}

export type EndpointService = ReturnType<typeof createEndpointService>

export function createEndpointService(deps: EndpointServiceDeps) {
  return { ...endpointActs(deps), ...keyActs(deps) }
}

function endpointActs(deps: EndpointServiceDeps) {
  const { repo, orgs, chains, keyMint, clock, newId, config } = deps

  return {
    /** One more than the page holds, when there is one. */
    async list(actor: Actor, orgId: string, page: PageRequest): Promise<ShownEndpoint[]> {
      await orgs.requireOrg(actor, orgId, 'endpoint.read')
      const now = clock()
      const views = await repo.list(orgId, page, new Date(now.getTime() - endedKeysShownMs))
      return views.map((view) => ({ view, shown: null, now }))
    },

    async read(actor: Actor, place: EndpointPlace): Promise<ShownEndpoint> {
      await orgs.requireOrg(actor, place.orgId, 'endpoint.read')
      return await load(deps, place)
    },

    async create(actor: Actor, orgId: string, input: EndpointInput): Promise<ChangedEndpoint> {
      await orgs.requireOrg(actor, orgId, 'key.make')
      if (!actor.isEmailVerified) throw new Failure('email_not_verified')
      const chain = await findChain(chains, input.chain)
      const now = clock()
      const endpoint = {
        id: newId('ep'),
        orgId,
        chainId: chain.id,
        name: input.name,
        ...changeLimits(noLimits, input),
        ...changeRestrictions(noRestrictions, input),
        status: 'active' as const,
        createdAt: now,
        updatedAt: now,
        deletedAt: null
      }
      const { secret, row } = keyMint.mint(now)
      const key = { ...row, endpointId: endpoint.id }
      const detail = { name: input.name, chain: chain.name, key_id: key.id }
      const audit = actOf(actor, 'endpoint.create', { orgId, targetId: endpoint.id, detail })
      const outcome = await repo.create(endpoint, key, config.endpointsPerOrgMax, audit)
      if (outcome === 'chain_gone') throw unknownChain(input.chain)
      if (outcome === 'limit_reached') {
        throw new Failure('limit_reached', {
          detail: `An org may have ${config.endpointsPerOrgMax} endpoints.`
        })
      }
      const view = { endpoint, chainName: chain.name, keys: [key] }
      return { view, shown: { keyId: key.id, secret }, now, changeId: outcome.changeId }
    },

    async update(
      actor: Actor,
      place: EndpointPlace,
      change: EndpointChange
    ): Promise<ChangedEndpoint> {
      const { orgId, id } = place
      await orgs.requireOrg(actor, orgId, 'endpoint.write')
      const changeId = await repo.update(
        place,
        (endpoint) => ({
          name: change.name ?? endpoint.name,
          status: change.status ?? endpoint.status,
          ...changeLimits(endpoint, change),
          ...changeRestrictions(endpoint, change)
        }),
        actOf(actor, 'endpoint.update', { orgId, targetId: id, detail: { ...change } }),
        clock()
      )
      return await changed(deps, place, changeId)
    },

    async remove(actor: Actor, place: EndpointPlace): Promise<number> {
      const { orgId, id } = place
      await orgs.requireOrg(actor, orgId, 'endpoint.write')
      const audit = actOf(actor, 'endpoint.delete', { orgId, targetId: id })
      const changeId = await repo.remove(place, audit, clock())
      if (changeId === null) throw new Failure('not_found')
      return changeId
    }
  }
}

function keyActs(deps: EndpointServiceDeps) {
  const { repo, orgs, keyMint, clock, config } = deps

  return {
    /** A new key; the live ones end now, or after the overlap, but never later than they would have. */
    async rotate(
      actor: Actor,
      place: EndpointPlace,
      overlapSeconds: number
    ): Promise<ChangedEndpoint> {
      const { orgId, id } = place
      await orgs.requireOrg(actor, orgId, 'key.make')
      const now = clock()
      const { secret, row } = keyMint.mint(now)
      const detail = { key_id: row.id, overlap_seconds: overlapSeconds }
      const changeId = await repo.rotate(
        place,
        { ...row, endpointId: id },
        (live) => endAll(live, overlapSeconds, now),
        actOf(actor, 'key.rotate', { orgId, targetId: id, detail }),
        now
      )
      return { ...(await changed(deps, place, changeId)), shown: { keyId: row.id, secret } }
    },

    async revoke(actor: Actor, place: EndpointPlace, keyId: string): Promise<ChangedEndpoint> {
      const { orgId } = place
      await orgs.requireOrg(actor, orgId, 'endpoint.write')
      await requireKey(deps, place, keyId)
      const audit = actOf(actor, 'key.revoke', {
        orgId,
        targetId: keyId,
        detail: { endpoint_id: place.id }
      })
      return await changed(deps, place, await repo.revoke(place, keyId, audit, clock()))
    },

    /**
     * The secret of a key that an earlier answer showed, for who repeats the request. Null when there is none to show
     * any more: it ended, or is not stored. Throws what making the key would throw.
     */
    async showAgain(
      actor: Actor,
      place: EndpointPlace,
      keyId: string | null
    ): Promise<string | null> {
      await orgs.requireOrg(actor, place.orgId, 'key.make')
      const key = keyId === null || !config.keyReveal ? null : await repo.findKey(place, keyId)
      if (key === null || stateOf(key, clock()) !== 'active') return null
      return await openAudited(deps, actor, place, key)
    },

    /** Nothing is shown before the audit log holds who saw it. */
    async reveal(actor: Actor, place: EndpointPlace, keyId: string): Promise<RevealedKey> {
      await orgs.requireOrg(actor, place.orgId, 'key.reveal')
      const key = await requireKey(deps, place, keyId)
      if (!config.keyReveal) throw new Failure('reveal_disabled')
      const now = clock()
      if (stateOf(key, now) !== 'active') throw new Failure('key_not_active')
      const secret = await openAudited(deps, actor, place, key)
      if (secret === null) throw new Failure('secret_not_stored')
      return { key, secret, now }
    }
  }
}

/** Null when the secret was never stored. Who sees it is in the audit log first. */
async function openAudited(
  { repo, keyMint, clock }: EndpointServiceDeps,
  actor: Actor,
  { orgId, id }: EndpointPlace,
  key: ApiKeyRow
): Promise<string | null> {
  const secret = keyMint.open(key)
  if (secret === null) return null
  const target = { orgId, targetId: key.id, detail: { endpoint_id: id } }
  await repo.recordReveal(actOf(actor, 'key.reveal', target), clock())
  return secret
}

async function load(
  { repo, clock }: EndpointServiceDeps,
  place: EndpointPlace
): Promise<ShownEndpoint> {
  const now = clock()
  const view = await repo.load(place, new Date(now.getTime() - endedKeysShownMs))
  if (view === null) throw new Failure('not_found')
  return { view, shown: null, now }
}

/** The endpoint as it is after a change that found it, or did not. */
async function changed(
  deps: EndpointServiceDeps,
  place: EndpointPlace,
  changeId: number | null
): Promise<ChangedEndpoint> {
  if (changeId === null) throw new Failure('not_found')
  return { ...(await load(deps, place)), changeId }
}

async function requireKey(
  { repo }: EndpointServiceDeps,
  place: EndpointPlace,
  keyId: string
): Promise<ApiKeyRow> {
  const key = await repo.findKey(place, keyId)
  if (key === null) throw new Failure('not_found')
  return key
}

export function stateOf(key: ApiKeyRow, now: Date): 'active' | 'revoked' | 'expired' {
  if (key.revokedAt !== null) return 'revoked'
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'active'
}

/** Throws `limit_reached` when too many keys would open the endpoint at once. */
function endAll(live: readonly ApiKeyRow[], overlapSeconds: number, now: Date): KeyEnding[] {
  if (overlapSeconds === 0) return live.map(({ id }) => ({ id, ending: { revokedAt: now } }))
  if (live.length >= liveKeysMax) {
    throw new Failure('limit_reached', {
      detail: `${live.length} keys open this endpoint already: revoke one, or rotate without overlap.`
    })
  }
  const end = new Date(now.getTime() + overlapSeconds * 1000)
  return live
    .filter((old) => old.expiresAt === null || old.expiresAt > end)
    .map(({ id }) => ({ id, ending: { expiresAt: end } }))
}

async function findChain(chains: EndpointServiceDeps['chains'], name: string) {
  try {
    return await chains.requireChain(name)
  } catch (error) {
    throw error instanceof Failure ? unknownChain(name) : error
  }
}

function unknownChain(name: string): Failure {
  return invalidFields([
    { pointer: '#/chain', detail: `there is no chain called ${name}: GET /v1/chains lists them` }
  ])
}
