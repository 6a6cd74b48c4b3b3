// The SQL of users: accounts, and with mailed-tokens.ts the tokens that are mailed to them.
import { eq } from 'drizzle-orm'
import { type Database, isDuplicate } from '../../drizzle/client.ts'
import { emailTokens, memberships, orgs, users } from '../../drizzle/schema/accounts.ts'
import { appendAudit } from '../audit/append-audit.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { Limits } from '../limits.ts'
import { type EmailTokenRow, mailedTokenStatements } from './mailed-tokens.ts'
import { applyPassword, lockUser } from './password-change.ts'

export type UserRow = typeof users.$inferSelect
export type UserRepo = ReturnType<typeof createUserRepo>

/** What is undefined stays as it is. */
export type UserChange = {
  [Field in 'firstName' | 'lastName' | 'isOperator' | 'emailVerifiedAt']?:
    | UserRow[Field]
    | undefined
}

export interface NewAccount {
  user: UserRow
  org: { id: string; name: string } & Limits
  token: EmailTokenRow
  audit: AuditEntry
}

export function createUserRepo(database: Pick<Database, 'orm'>) {
  return { ...accountStatements(database), ...mailedTokenStatements(database) }
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

    /** Also ends what the old password opened. */
    async setPassword(
      id: string,
      passwordHash: string,
      audit: AuditEntry,
      now: Date
    ): Promise<void> {
      await orm.transaction(async (tx) => {
        await lockUser(tx, id)
        await applyPassword(tx, id, passwordHash, now)
        await appendAudit(tx, audit, now)
      })
    }
  }
}
