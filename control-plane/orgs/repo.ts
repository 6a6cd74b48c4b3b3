// The SQL of orgs and of who belongs to them.
import { and, asc, count, eq, gt, inArray } from 'drizzle-orm'
import { appendChange } from '../../drizzle/change-log.ts'
import type { Database, Queryable } from '../../drizzle/client.ts'
import { memberships, orgs, users } from '../../drizzle/schema/accounts.ts'
import { appendAudit } from '../audit/append-audit.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { PageRequest } from '../http/page.ts'
import type { Role } from './access.ts'

export type OrgRow = typeof orgs.$inferSelect
/** An org as one user sees it: with their role, null when they are no member. */
export type OrgOfUser = OrgRow & { role: Role | null }
export interface Owned {
  /** Null for who is not the operator. */
  owners: readonly { id: string; email: string }[] | null
}
export type OrgView = OrgOfUser & Owned
export type OrgRepo = ReturnType<typeof createOrgRepo>

export function createOrgRepo({ orm }: Pick<Database, 'orm'>) {
  return { ...readStatements(orm), ...writeStatements(orm) }
}

function readStatements(orm: Database['orm']) {
  return {
    async load(id: string, userId: string): Promise<OrgOfUser | null> {
      const [row] = await selectAsSeenBy(orm, userId).where(eq(orgs.id, id))
      return row === undefined ? null : { ...row.org, role: row.role }
    },

    /** The roles of these users in these orgs, and perhaps in others of them. */
    async listRoles(
      visitors: readonly { orgId: string; userId: string }[]
    ): Promise<{ orgId: string; userId: string; role: Role }[]> {
      if (visitors.length === 0) return []
      const idsOf = (of: 'orgId' | 'userId') => [...new Set(visitors.map((one) => one[of]))]
      return await orm
        .select({
          orgId: memberships.orgId,
          userId: memberships.userId,
          role: memberships.role
        })
        .from(memberships)
        .where(
          and(
            inArray(memberships.orgId, idsOf('orgId')),
            inArray(memberships.userId, idsOf('userId'))
          )
        )
    },

    /** The longest first. */
    async listOwners(
      orgIds: readonly string[]
    ): Promise<{ orgId: string; id: string; email: string }[]> {
      if (orgIds.length === 0) return []
      return await orm
        .select({ orgId: memberships.orgId, id: users.id, email: users.email })
        .from(memberships)
        .innerJoin(users, eq(users.id, memberships.userId))
        .where(and(inArray(memberships.orgId, [...orgIds]), eq(memberships.role, 'owner')))
        .orderBy(asc(memberships.createdAt), asc(users.id))
    },

    /** One more than the page holds, when there is one. */
    async listOf(userId: string, { limit, afterId }: PageRequest): Promise<OrgOfUser[]> {
      const rows = await orm
        .select({ org: orgs, role: memberships.role })
        .from(memberships)
        .innerJoin(orgs, eq(orgs.id, memberships.orgId))
        .where(
          and(
            eq(memberships.userId, userId),
            afterId === null ? undefined : gt(memberships.orgId, afterId)
          )
        )
        .orderBy(asc(memberships.orgId))
        .limit(limit + 1)
      return rows.map(({ org, role }) => ({ ...org, role }))
    },

    async listAll(userId: string, { limit, afterId }: PageRequest): Promise<OrgOfUser[]> {
      const rows = await selectAsSeenBy(orm, userId)
        .where(afterId === null ? undefined : gt(orgs.id, afterId))
        .orderBy(asc(orgs.id))
        .limit(limit + 1)
      return rows.map(({ org, role }) => ({ ...org, role }))
    }
  }
}

function writeStatements(orm: Database['orm']) {
  return {
    /** Creates an org with its owner, unless they own as many as they may. */
    async create(
      org: OrgRow,
      ownerId: string,
      ownedMax: number,
      audit: AuditEntry
    ): Promise<'created' | 'limit_reached'> {
      return await orm.transaction(async (tx) => {
        // The user's row is the lock: two requests at once must not both be the last.
        await tx.select({ id: users.id }).from(users).where(eq(users.id, ownerId)).for('update')
        const [owned] = await tx
          .select({ total: count() })
          .from(memberships)
          .where(and(eq(memberships.userId, ownerId), eq(memberships.role, 'owner')))
        if ((owned?.total ?? 0) >= ownedMax) return 'limit_reached'
        await tx.insert(orgs).values(org)
        await tx
          .insert(memberships)
          .values({ orgId: org.id, userId: ownerId, role: 'owner', createdAt: org.createdAt })
        await appendAudit(tx, audit, org.createdAt)
        return 'created'
      })
    },

    /** Changes an org under its row lock; `change` sees the org as it is then. Null when it is gone. */
    async update(
      id: string,
      change: (org: OrgRow) => Partial<OrgRow>,
      audit: AuditEntry,
      now: Date
    ): Promise<{ org: OrgRow; changeId: number } | null> {
      return await orm.transaction(async (tx) => {
        const [current] = await tx.select().from(orgs).where(eq(orgs.id, id)).for('update')
        if (current === undefined) return null
        const org = { ...current, ...change(current), updatedAt: now }
        await tx.update(orgs).set(org).where(eq(orgs.id, id))
        await appendAudit(tx, audit, now)
        const changeId = await appendChange(tx, { entity: 'org', entityId: id, orgId: id })
        return { org, changeId }
      })
    }
  }
}

function selectAsSeenBy(on: Queryable, userId: string) {
  return on
    .select({ org: orgs, role: memberships.role })
    .from(orgs)
    .leftJoin(memberships, and(eq(memberships.orgId, orgs.id), eq(memberships.userId, userId)))
    .$dynamic()
}
