// What a new password ends, for whichever way it is set.
import { and, eq, isNull } from 'drizzle-orm'
import type { Transaction } from '../../drizzle/client.ts'
import { attemptCounts, emailTokens, sessions, users } from '../../drizzle/schema/accounts.ts'
import { accountCountId } from '../auth/attempt-counts.ts'

/** What depends on a password, or changes it, locks the user's row first. */
export async function lockUser(
  tx: Transaction,
  id: string
): Promise<typeof users.$inferSelect | undefined> {
  const [user] = await tx.select().from(users).where(eq(users.id, id)).for('update')
  return user
}

/**
 * A new password, under the lock of the user's row: every session ends and every reset link is spent, so that whoever knew
 * the old one, or holds an older link, is out. Failed sign-ins are forgotten: they were guesses at the old one.
 */
export async function applyPassword(
  tx: Transaction,
  userId: string,
  passwordHash: string,
  now: Date
): Promise<void> {
  await tx.update(users).set({ passwordHash, updatedAt: now }).where(eq(users.id, userId))
  await tx
    .update(sessions)
    .set({ revokedAt: now })
    .where(and(eq(sessions.userId, userId), isNull(sessions.revokedAt)))
  await tx.update(emailTokens).set({ usedAt: now }).where(isOpenTokenOf(userId, 'reset_password'))
  await tx.delete(attemptCounts).where(eq(attemptCounts.id, accountCountId(userId)))
}

export function isOpenTokenOf(userId: string, purpose: 'verify_email' | 'reset_password') {
  return and(
    eq(emailTokens.userId, userId),
    eq(emailTokens.purpose, purpose),
    isNull(emailTokens.usedAt)
  )
}
