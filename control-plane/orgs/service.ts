// Orgs, and the one question every other feature asks: may this actor do that here? The answer is read from the database
// each time, and an org that is not theirs does not exist for them.
import { actOf } from '../audit/audit-entry.ts'
import type { Clock } from '../clock.ts'
import { Failure } from '../errors.ts'
import type { Actor } from '../http/app-type.ts'
import type { PageRequest } from '../http/page.ts'
import { changeLimits, hasLimits, type LimitChange, noLimits } from '../limits.ts'
import { isAllowed, isForOperatorOnly, type OrgAct } from './access.ts'
import type { OrgRepo, OrgView } from './repo.ts'

export interface OrgServiceDeps {
  repo: OrgRepo
  clock: Clock
  newId: (prefix: 'org') => string
  config: { orgsPerUserMax: number }
}

export type OrgChange = { name?: string } & LimitChange

/** Somebody in an org. */
export interface Visitor {
  orgId: string
  userId: string
  isOperator: boolean
}

export type OrgService = ReturnType<typeof createOrgService>

export function createOrgService({ repo, clock, newId, config }: OrgServiceDeps) {
  /** Throws `not_found` to who has nothing to do with the org, and a 403 to who may not do just this. */
  async function requireOrg(actor: Actor, id: string, act: OrgAct): Promise<OrgView> {
    const org = await repo.load(id, actor.userId)
    if (org === null || (org.role === null && !actor.isOperator)) throw new Failure('not_found')
    if (!isAllowed(act, org.role, actor.isOperator)) {
      throw new Failure(isForOperatorOnly(act) ? 'operator_required' : 'role_required')
    }
    return org
  }

  return {
    requireOrg,

    /** Of many at once, those who still may do that. */
    async filterAllowed<V extends Visitor>(visitors: readonly V[], act: OrgAct): Promise<V[]> {
      const rows = await repo.listRoles(visitors)
      const placeOf = ({ orgId, userId }: Omit<Visitor, 'isOperator'>) => `${orgId} ${userId}`
      const roles = new Map(rows.map((row) => [placeOf(row), row.role]))
      return visitors.filter((visitor) =>
        isAllowed(act, roles.get(placeOf(visitor)) ?? null, visitor.isOperator)
      )
    },

    /** One more than the page holds, when there is one. `all` is for the operator. */
    async list(actor: Actor, scope: 'mine' | 'all', page: PageRequest): Promise<OrgView[]> {
      if (scope === 'mine') return await repo.listOf(actor.userId, page)
      if (!actor.isOperator) throw new Failure('operator_required')
      return await repo.listAll(actor.userId, page)
    },

    async create(actor: Actor, name: string): Promise<OrgView> {
      const now = clock()
      const org = { id: newId('org'), name, ...noLimits, createdAt: now, updatedAt: now }
      const audit = actOf(actor, 'org.create', { orgId: org.id, targetId: org.id })
      const outcome = await repo.create(org, actor.userId, config.orgsPerUserMax, audit)
      if (outcome === 'limit_reached') {
        throw new Failure('limit_reached', {
          detail: `A user may own ${config.orgsPerUserMax} orgs.`
        })
      }
      return { ...org, role: 'owner' }
    },

    async update(
      actor: Actor,
      id: string,
      change: OrgChange
    ): Promise<{ org: OrgView; changeId: number }> {
      const { role } = await requireOrg(actor, id, 'org.read')
      if (change.name !== undefined) await requireOrg(actor, id, 'org.rename')
      if (hasLimits(change)) await requireOrg(actor, id, 'org.limit')
      const updated = await repo.update(
        id,
        (org) => ({ name: change.name ?? org.name, ...changeLimits(org, change) }),
        actOf(actor, 'org.update', { orgId: id, targetId: id, detail: { ...change } }),
        clock()
      )
      if (updated === null) throw new Failure('not_found')
      return { org: { ...updated.org, role }, changeId: updated.changeId }
    }
  }
}
