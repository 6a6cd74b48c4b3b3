// The SQL of tokens that are mailed. Each is spent in the transaction that does what it was mailed for, behind the lock of
// the user's row: a failure in between costs nobody their link, and no session, link or new password passes another unseen.
import { and, count, eq, gt, isNull } from 'drizzle-orm'
import type { Database, Transaction } from '../../drizzle/client.ts'
import { emailTokens, users } from '../../drizzle/schema/accounts.ts'
import { appendAudit } from '../audit/append-audit.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import { applyPassword, isOpenTokenOf, lockUser } from './password-change.ts'

type UserRow = typeof users.$inferSelect
export type EmailTokenRow = Omit<typeof emailTokens.$inferInsert, 'usedAt'>

export function mailedTokenStatements(database: Pick<Database, 'orm'>) {
  return { ...tokenStatements(database), ...tokenActs(database) }
}

function tokenStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    /**
     * False when as many were mailed since a moment as may be. Only open ones count: who floods an address leaves its
     * owner a link that works, and who used theirs can ask for another.
     */
    async addEmailToken(
      token: EmailTokenRow,
      limit: { since: Date; max: number },
      audit: AuditEntry
    ): Promise<boolean> {
      return await orm.transaction(async (tx) => {
        await lockUser(tx, token.userId)
        const [sent] = await tx
          .select({ total: count() })
          .from(emailTokens)
          .where(
            and(isOpenTokenOf(token.userId, token.purpose), gt(emailTokens.createdAt, limit.since))
          )
        if ((sent?.total ?? 0) >= limit.max) return false
        await tx.insert(emailTokens).values(token)
        await appendAudit(tx, audit, token.createdAt)
        return true
      })
    },

    /** Whose address a token proves; null when it does not hold. */
    async findByToken(
      hash: Buffer,
      purpose: EmailTokenRow['purpose'],
      now: Date
    ): Promise<UserRow | null> {
      const [row] = await orm
        .select({ user: users })
        .from(emailTokens)
        // The address may have been changed since the token was sent: then it proves nothing.
        .innerJoin(users, and(eq(users.id, emailTokens.userId), eq(users.email, emailTokens.email)))
        .where(and(eq(emailTokens.hash, hash), eq(emailTokens.purpose, purpose), holdsAt(now)))
      return row?.user ?? null
    },

    /** A token that was mailed, whatever became of it. */
    async findSpentToken(hash: Buffer): Promise<Pick<EmailTokenRow, 'userId' | 'purpose'> | null> {
      const [row] = await orm
        .select({ userId: emailTokens.userId, purpose: emailTokens.purpose })
        .from(emailTokens)
        .where(eq(emailTokens.hash, hash))
      return row ?? null
    },

    /** An event that changes nothing else. */
    async note(audit: AuditEntry, now: Date): Promise<void> {
      await orm.transaction(async (tx) => await appendAudit(tx, audit, now))
    }
  }
}

/** What a mailed token is for. Each locks the user's row, spends the token and acts, or does nothing. */
function tokenActs({ orm }: Pick<Database, 'orm'>) {
  return {
    /** False when the token does not hold any more, or the account is not as the caller found it. */
    async verifyEmail(
      hash: Buffer,
      seen: Pick<UserRow, 'id' | 'email' | 'passwordHash'>,
      audit: AuditEntry,
      now: Date
    ): Promise<boolean> {
      return await orm.transaction(async (tx) => {
        const user = await lockUser(tx, seen.id)
        const isSame = user?.email === seen.email && user.passwordHash === seen.passwordHash
        if (!isSame || !(await spend(tx, hash, now))) return false
        await tx
          .update(users)
          .set({ emailVerifiedAt: user.emailVerifiedAt ?? now, updatedAt: now })
          .where(eq(users.id, user.id))
        await appendAudit(tx, audit, now)
        return true
      })
    },

    /** Also verifies the address, which the token proves. False when the token does not hold any more. */
    async resetPassword(
      hash: Buffer,
      seen: Pick<UserRow, 'id' | 'email'>,
      passwordHash: string,
      audits: { reset: AuditEntry; proof: AuditEntry },
      now: Date
    ): Promise<boolean> {
      return await orm.transaction(async (tx) => {
        const user = await lockUser(tx, seen.id)
        if (user?.email !== seen.email || !(await spend(tx, hash, now))) return false
        await applyPassword(tx, user.id, passwordHash, now)
        if (user.emailVerifiedAt === null) {
          await tx.update(users).set({ emailVerifiedAt: now }).where(eq(users.id, user.id))
          await appendAudit(tx, audits.proof, now)
        }
        await appendAudit(tx, audits.reset, now)
        return true
      })
    }
  }
}

/** Whether this call is the one that spent the token. */
async function spend(tx: Transaction, hash: Buffer, now: Date): Promise<boolean> {
  const [spent] = await tx
    .update(emailTokens)
    .set({ usedAt: now })
    .where(and(eq(emailTokens.hash, hash), holdsAt(now)))
  return spent.affectedRows === 1
}

function holdsAt(now: Date) {
  return and(isNull(emailTokens.usedAt), gt(emailTokens.expiresAt, now))
}
