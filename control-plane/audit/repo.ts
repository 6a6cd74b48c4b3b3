// The SQL that reads the audit log, the newest entry first. Ids sort by age, so the key, or an index that ends with it, is
// the order of every list.
import { and, desc, eq, isNull, lt } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
import { memberships, users } from '../../drizzle/schema/accounts.ts'
import { auditLog } from '../../drizzle/schema/requests.ts'
import type { PageRequest } from '../http/page.ts'
import { appendAudit } from './append-audit.ts'
import type { AuditEntry } from './audit-entry.ts'

/** An entry with who did it, as far as the database still knows them. */
export type AuditRow = typeof auditLog.$inferSelect & {
  userEmail: string | null
  /** Whether who did it belongs to the org that it concerns. */
  isByMember: boolean
}

export interface AuditFilter {
  orgId?: string | undefined
  userId?: string | undefined
  action?: string | undefined
}

export type AuditRepo = ReturnType<typeof createAuditRepo>

export function createAuditRepo({ orm }: Pick<Database, 'orm'>) {
  const list = async (
    where: Parameters<typeof and>,
    { limit, afterId }: PageRequest
  ): Promise<AuditRow[]> => {
    const rows = await orm
      .select({ entry: auditLog, email: users.email, role: memberships.role })
      .from(auditLog)
      .leftJoin(users, eq(users.id, auditLog.userId))
      .leftJoin(
        memberships,
        and(eq(memberships.orgId, auditLog.orgId), eq(memberships.userId, auditLog.userId))
      )
      .where(and(...where, afterId === null ? undefined : lt(auditLog.id, afterId)))
      .orderBy(desc(auditLog.id))
      .limit(limit + 1)
    return rows.map(({ entry, email, role }) => ({
      ...entry,
      userEmail: email,
      isByMember: role !== null
    }))
  }

  return {
    /** One more than the page holds, when there is one; likewise below. */
    async list({ orgId, userId, action }: AuditFilter, page: PageRequest): Promise<AuditRow[]> {
      return await list(
        [
          orgId === undefined ? undefined : eq(auditLog.orgId, orgId),
          userId === undefined ? undefined : eq(auditLog.userId, userId),
          action === undefined ? undefined : eq(auditLog.action, action)
        ],
        page
      )
    },

    /** What concerns the account itself, in no org. */
    async listOfAccount(userId: string, page: PageRequest): Promise<AuditRow[]> {
      return await list([eq(auditLog.userId, userId), isNull(auditLog.orgId)], page)
    },

    async note(entry: AuditEntry, now: Date): Promise<void> {
      await orm.transaction(async (tx) => await appendAudit(tx, entry, now))
    }
  }
}
