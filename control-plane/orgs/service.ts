// Orgs, and the one question every other feature asks: may this actor do that here? The answer is read from the database
// each time, and an org that is not theirs does not exist for them.
import { actOf } from '../audit/audit-entry.ts'
import type { Clock } from '../clock.ts'
import { Failure } from '../errors.ts'
import type { Actor } from '../http/app-type.ts'
import type { PageRequest } from '../http/page.ts'
import { changeLimits, hasLimits, type LimitChange, type Limits } from '../limits.ts'
import { isAllowed, isForOperatorOnly, isReading, type OrgAct } from './access.ts'
import type { OrgOfUser, OrgRepo, OrgRow, OrgView } from './repo.ts'

export interface OrgServiceDeps {
  repo: OrgRepo
  clock: Clock
  newId: (prefix: 'org') => string
  config: { orgsPerUserMax: number; orgLimits: Limits }
}

export type OrgChange = { name?: string } & LimitChange

/** Somebody in an org. */
export interface Visitor {
  orgId: string
  userId: string
  isOperator: boolean
}

export interface ChangedOrg {
  org: OrgView
  changeId: number
}

export type OrgService = ReturnType<typeof createOrgService>

export function createOrgService(deps: OrgServiceDeps) {
  return { ...accessQuestions(deps), ...orgActs(deps), ...suspension(deps) }
}

function accessQuestions({ repo }: Pick<OrgServiceDeps, 'repo'>) {
  return {
    requireOrg: (actor: Actor, id: string, act: OrgAct) => requireOrg(repo, actor, id, act),

    /** Of many at once, those who still may do that. */
    async filterAllowed<V extends Visitor>(visitors: readonly V[], act: OrgAct): Promise<V[]> {
      const rows = await repo.listRoles(visitors)
      const placeOf = ({ orgId, userId }: Omit<Visitor, 'isOperator'>) => `${orgId} ${userId}`
      const roles = new Map(rows.map((row) => [placeOf(row), row.role]))
      return visitors.filter((visitor) =>
        isAllowed(act, roles.get(placeOf(visitor)) ?? null, visitor.isOperator)
      )
    }
  }
}

function orgActs({ repo, clock, newId, config }: OrgServiceDeps) {
  return {
    /** One more than the page holds, when there is one. `all` is for the operator. */
    async list(actor: Actor, scope: 'mine' | 'all', page: PageRequest): Promise<OrgView[]> {
      if (scope === 'all' && !actor.isOperator) throw new Failure('operator_required')
      const orgs = await (scope === 'all'
        ? repo.listAll(actor.userId, page)
        : repo.listOf(actor.userId, page))
      return await withOwners(repo, actor, orgs)
    },

    async read(actor: Actor, id: string): Promise<OrgView> {
      return await withOwner(repo, actor, await requireOrg(repo, actor, id, 'org.read'))
    },

    async create(actor: Actor, name: string): Promise<OrgView> {
      const now = clock()
      const org = {
        id: newId('org'),
        name,
        ...config.orgLimits,
        suspendedAt: null,
        createdAt: now,
        updatedAt: now
      }
      const audit = actOf(actor, 'org.create', { orgId: org.id, targetId: org.id })
      const outcome = await repo.create(org, actor.userId, config.orgsPerUserMax, audit)
      if (outcome === 'limit_reached') {
        throw new Failure('limit_reached', {
          detail: `A user may own ${config.orgsPerUserMax} orgs.`
        })
      }
      return await withOwner(repo, actor, { ...org, role: 'owner' })
    },

    async update(actor: Actor, id: string, change: OrgChange): Promise<ChangedOrg> {
      const { role } = await requireOrg(repo, actor, id, 'org.read')
      if (change.name !== undefined) await requireOrg(repo, actor, id, 'org.rename')
      if (hasLimits(change)) await requireOrg(repo, actor, id, 'org.limit')
      const updated = await repo.update(
        id,
        (org) => ({ name: change.name ?? org.name, ...changeLimits(org, change) }),
        actOf(actor, 'org.update', { orgId: id, targetId: id, detail: { ...change } }),
        clock()
      )
      return await changed(repo, actor, role, updated)
    }
  }
}

/** Stops, or opens again, everything that keys of an org open; in force within a second, like any change. */
function suspension({ repo, clock }: OrgServiceDeps) {
  async function set(actor: Actor, id: string, isSuspended: boolean): Promise<ChangedOrg> {
    const { role } = await requireOrg(repo, actor, id, 'org.suspend')
    const now = clock()
    const updated = await repo.update(
      id,
      ({ suspendedAt }) => ({ suspendedAt: isSuspended ? (suspendedAt ?? now) : null }),
      actOf(actor, isSuspended ? 'org.suspend' : 'org.resume', { orgId: id, targetId: id }),
      now
    )
    return await changed(repo, actor, role, updated)
  }
  return {
    suspend: (actor: Actor, id: string) => set(actor, id, true),
    resume: (actor: Actor, id: string) => set(actor, id, false)
  }
}

/** Throws `not_found` to who has nothing to do with the org, and a 403 to who may not do just this. */
async function requireOrg(
  repo: OrgRepo,
  actor: Actor,
  id: string,
  act: OrgAct
): Promise<OrgOfUser> {
  const org = await repo.load(id, actor.userId)
  if (org === null || (org.role === null && !actor.isOperator)) throw new Failure('not_found')
  if (!isAllowed(act, org.role, actor.isOperator)) {
    throw new Failure(isForOperatorOnly(act) ? 'operator_required' : 'role_required')
  }
  if (org.suspendedAt !== null && !actor.isOperator && !isReading(act)) {
    throw new Failure('org_suspended', { detail: 'Ask the operator of this service.' })
  }
  return org
}

/** Whose an org is, the operator alone is told: they have to reach somebody. */
async function withOwners(
  repo: OrgRepo,
  actor: Actor,
  orgs: readonly OrgOfUser[]
): Promise<OrgView[]> {
  if (!actor.isOperator) return orgs.map((org) => ({ ...org, owners: null }))
  const owners = await repo.listOwners(orgs.map(({ id }) => id))
  const byOrg = Map.groupBy(owners, ({ orgId }) => orgId)
  return orgs.map((org) => ({
    ...org,
    owners: (byOrg.get(org.id) ?? []).map(({ id, email }) => ({ id, email }))
  }))
}

async function withOwner(repo: OrgRepo, actor: Actor, org: OrgOfUser): Promise<OrgView> {
  const [view] = await withOwners(repo, actor, [org])
  if (view === undefined) throw new Error('one org gives one view')
  return view
}

async function changed(
  repo: OrgRepo,
  actor: Actor,
  role: OrgOfUser['role'],
  updated: { org: OrgRow; changeId: number } | null
): Promise<ChangedOrg> {
  if (updated === null) throw new Failure('not_found')
  const { org, changeId } = updated
  return { org: await withOwner(repo, actor, { ...org, role }), changeId }
}
