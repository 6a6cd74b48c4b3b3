// The SQL of users: accounts, and the tokens that are mailed to them.
import { and, count, eq, gt, isNull } from 'drizzle-orm'
import { type Database, isDuplicate } from '../../drizzle/client.ts'
import { emailTokens, memberships, orgs, sessions, users } from '../../drizzle/schema/accounts.ts'
import { appendAudit } from '../audit/append-audit.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'

export type UserRow = typeof users.$inferSelect
export type EmailTokenRow = Omit<typeof emailTokens.$inferInsert, 'usedAt'>
export type UserRepo = ReturnType<typeof createUserRepo>

/** What is undefined stays as it is. */
export type UserChange = {
  [Field in 'firstName' | 'lastName' | 'isOperator' | 'emailVerifiedAt']?:
    | UserRow[Field]
    | undefined
}

export interface NewAccount {
  user: UserRow
  org: { id: string; name: string }
  token: EmailTokenRow
  audit: AuditEntry
}

export function createUserRepo(database: Pick<Database, 'orm'>) {
  return { ...accountStatements(database), ...emailTokenStatements(database) }
}

function accountStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    async findByEmail(email: string): Promise<UserRow | null> {
      const [row] = await orm.select().from(users).where(eq(users.email, email))
      return row ?? null
    },

    async load(id: string): Promise<UserRow | null> {
      const [row] = await orm.select().from(users).where(eq(users.id, id))
      return row ?? null
    },

    /** The user, an org of which they are the owner, and the token that verifies their address: all or nothing. */
    async createAccount(account: NewAccount): Promise<'created' | 'email_taken'> {
      const { user, org, token, audit } = account
      const now = user.createdAt
      try {
        await orm.transaction(async (tx) => {
          await tx.insert(users).values(user)
          await tx.insert(orgs).values({ ...org, createdAt: now, updatedAt: now })
          await tx
            .insert(memberships)
            .values({ orgId: org.id, userId: user.id, role: 'owner', createdAt: now })
          await tx.insert(emailTokens).values(token)
          await appendAudit(tx, audit, now)
        })
        return 'created'
      } catch (error) {
        if (isDuplicate(error, 'users_email')) return 'email_taken'
        throw error
      }
    },

    /** An account without an org, for the operator. */
    async createOperator(user: UserRow, audit: AuditEntry): Promise<void> {
      await orm.transaction(async (tx) => {
        await tx.insert(users).values(user)
        await appendAudit(tx, audit, user.createdAt)
      })
    },

    async update(id: string, change: UserChange, audit: AuditEntry, now: Date): Promise<void> {
      await orm.transaction(async (tx) => {
        await tx
          .update(users)
          .set({ ...change, updatedAt: now })
          .where(eq(users.id, id))
        await appendAudit(tx, audit, now)
      })
    },

    /** Also ends every session: whoever knew the old password is out. */
    async setPassword(
      id: string,
      passwordHash: string,
      audit: AuditEntry,
      now: Date
    ): Promise<void> {
      await orm.transaction(async (tx) => {
        await tx.update(users).set({ passwordHash, updatedAt: now }).where(eq(users.id, id))
        await tx
          .update(sessions)
          .set({ revokedAt: now })
          .where(and(eq(sessions.userId, id), isNull(sessions.revokedAt)))
        await appendAudit(tx, audit, now)
      })
    }
  }
}

function emailTokenStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    /** False when the user was sent as many since a moment as they may get. */
    async addEmailToken(
      token: EmailTokenRow,
      limit: { since: Date; max: number }
    ): Promise<boolean> {
      const [sent] = await orm
        .select({ total: count() })
        .from(emailTokens)
        .where(
          and(
            eq(emailTokens.userId, token.userId),
            eq(emailTokens.purpose, token.purpose),
            gt(emailTokens.createdAt, limit.since)
          )
        )
      if ((sent?.total ?? 0) >= limit.max) return false
      await orm.insert(emailTokens).values(token)
      return true
    },

    /** Spends a token, once, and says whose address it proves; null when it does not hold any more. */
    async spendEmailToken(
      hash: Buffer,
      purpose: EmailTokenRow['purpose'],
      now: Date
    ): Promise<UserRow | null> {
      const [spent] = await orm
        .update(emailTokens)
        .set({ usedAt: now })
        .where(
          and(
            eq(emailTokens.hash, hash),
            eq(emailTokens.purpose, purpose),
            isNull(emailTokens.usedAt),
            gt(emailTokens.expiresAt, now)
          )
        )
      if (spent.affectedRows === 0) return null
      // The address may have been changed since the token was sent: then it proves nothing.
      const [row] = await orm
        .select({ user: users })
        .from(emailTokens)
        .innerJoin(users, and(eq(users.id, emailTokens.userId), eq(users.email, emailTokens.email)))
        .where(eq(emailTokens.hash, hash))
      return row?.user ?? null
    }
  }
}
