// Who may read what of the audit log: owners and admins that of their org, everybody that of their own account, and the
// operator all of it. And the one thing that is written down although nothing was done: refused acts of the operator.
import { createHash } from 'node:crypto'
import type { AttemptCounts } from '../auth/attempt-counts.ts'
import type { Clock } from '../clock.ts'
import type { Actor } from '../http/app-type.ts'
import type { PageRequest } from '../http/page.ts'
import type { OrgService } from '../orgs/service.ts'
import { actOf } from './audit-entry.ts'
import type { AuditFilter, AuditRepo, AuditRow } from './repo.ts'

/** One user's refusals of one kind make one entry in so long: the log must not be for anybody to fill. */
const refusalsWindowMs = 10 * 60_000

export interface AuditServiceDeps {
  repo: AuditRepo
  orgs: Pick<OrgService, 'requireOrg'>
  counts: Pick<AttemptCounts, 'take'>
  clock: Clock
}

export type AuditService = ReturnType<typeof createAuditService>

export function createAuditService({ repo, orgs, counts, clock }: AuditServiceDeps) {
  return {
    /** Throws `not_found` and `role_required`. Who is no member of the org has no address there. */
    async listOfOrg(
      actor: Actor,
      orgId: string,
      action: string | undefined,
      page: PageRequest
    ): Promise<AuditRow[]> {
      await orgs.requireOrg(actor, orgId, 'audit.read')
      const rows = await repo.list({ orgId, action }, page)
      if (actor.isOperator) return rows
      return rows.map((row) => (row.isByMember ? row : { ...row, userEmail: null, ip: null }))
    },

    async listOfAccount(actor: Actor, page: PageRequest): Promise<AuditRow[]> {
      return await repo.listOfAccount(actor.userId, page)
    },

    /** For the operator. */
    async listAll(filter: AuditFilter, page: PageRequest): Promise<AuditRow[]> {
      return await repo.list(filter, page)
    },

    async noteRefusal(actor: Actor, method: string, route: string): Promise<void> {
      const now = clock()
      const what = `refusal ${actor.userId} ${method} ${route}`
      const id = createHash('sha256').update(what).digest()
      const allowance = { id, max: 1, lifeMs: refusalsWindowMs, isRenewed: false }
      const taken = await counts.take([allowance], now)
      if (taken.outcome === 'full') return
      const detail = { method, route }
      await repo.note(actOf(actor, 'operator.refuse', { targetId: null, detail }), now)
    }
  }
}
