// The SQL of sessions. A refresh token is spent by one update that only one request can win; everything else about it is
// read behind that update, in the same transaction, so that a loser sees what the winner wrote.
import { and, eq, gt, inArray, isNull, or } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
import { refreshTokens, sessions, users } from '../../drizzle/schema/accounts.ts'
import { appendAudit } from '../audit/append-audit.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'

export type SessionRow = typeof sessions.$inferSelect
export type AuthRepo = ReturnType<typeof createAuthRepo>

export interface RefreshTokenRow {
  hash: Buffer
  expiresAt: Date
}

export type Spent =
  | { outcome: 'unknown' | 'ended' }
  | { outcome: 'spent' | 'expired'; session: SessionRow }
  | { outcome: 'used_before'; session: SessionRow; usedAt: Date }

export function createAuthRepo(database: Pick<Database, 'orm'>) {
  return { ...sessionStatements(database), ...refreshTokenStatements(database) }
}

function sessionStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    /**
     * False when the user's password is not the one that was verified any more. The user's row is locked as a new password
     * locks it: the session is made before that, and ended by it, or not at all.
     */
    async createSession(
      session: Omit<SessionRow, 'revokedAt'>,
      verifiedHash: string,
      token: RefreshTokenRow,
      audit: AuditEntry
    ): Promise<boolean> {
      const now = session.createdAt
      return await orm.transaction(async (tx) => {
        const [user] = await tx
          .select({ passwordHash: users.passwordHash })
          .from(users)
          .where(eq(users.id, session.userId))
          .for('update')
        if (user?.passwordHash !== verifiedHash) return false
        await tx.insert(sessions).values(session)
        await tx.insert(refreshTokens).values({ ...token, sessionId: session.id, createdAt: now })
        await appendAudit(tx, audit, now)
        return true
      })
    },

    /** The user behind a session that has not ended. */
    async loadUser(userId: string, sessionId: string, now: Date) {
      const [row] = await orm
        .select({ isOperator: users.isOperator, emailVerifiedAt: users.emailVerifiedAt })
        .from(sessions)
        .innerJoin(users, eq(users.id, sessions.userId))
        .where(
          and(
            eq(sessions.id, sessionId),
            eq(sessions.userId, userId),
            isNull(sessions.revokedAt),
            gt(sessions.expiresAt, now)
          )
        )
      return row ?? null
    },

    /** Of these sessions those that have not ended. */
    async listLive(
      ids: readonly string[],
      now: Date
    ): Promise<{ id: string; isOperator: boolean }[]> {
      return await orm
        .select({ id: sessions.id, isOperator: users.isOperator })
        .from(sessions)
        .innerJoin(users, eq(users.id, sessions.userId))
        .where(
          and(
            inArray(sessions.id, [...ids]),
            isNull(sessions.revokedAt),
            gt(sessions.expiresAt, now)
          )
        )
    },

    /** An event that changes nothing else, such as a refused sign-in. */
    async note(audit: AuditEntry, now: Date): Promise<void> {
      await orm.transaction(async (tx) => await appendAudit(tx, audit, now))
    },

    /** Ends a session with every token of its family. */
    async endSession(id: string, audit: AuditEntry, now: Date): Promise<void> {
      await orm.transaction(async (tx) => {
        await tx
          .update(sessions)
          .set({ revokedAt: now })
          .where(and(eq(sessions.id, id), isNull(sessions.revokedAt)))
        await appendAudit(tx, audit, now)
      })
    }
  }
}

function refreshTokenStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    /** Spends a token, and puts its successor in its place when this call is the one that spent it. */
    async spend(hash: Buffer, successor: RefreshTokenRow, now: Date): Promise<Spent> {
      return await orm.transaction(async (tx) => {
        const [update] = await tx
          .update(refreshTokens)
          .set({ usedAt: now })
          .where(
            and(
              eq(refreshTokens.hash, hash),
              isNull(refreshTokens.usedAt),
              gt(refreshTokens.expiresAt, now)
            )
          )
        const [row] = await tx
          .select({ usedAt: refreshTokens.usedAt, session: sessions })
          .from(refreshTokens)
          .innerJoin(sessions, eq(sessions.id, refreshTokens.sessionId))
          // Without its user a session is nobody's.
          .innerJoin(users, eq(users.id, sessions.userId))
          .where(eq(refreshTokens.hash, hash))
        if (row === undefined) return { outcome: 'unknown' }
        const { session, usedAt } = row
        if (session.revokedAt !== null || session.expiresAt <= now) return { outcome: 'ended' }
        if (update.affectedRows === 0) return refused(session, usedAt)
        const expiresAt = earlierOf(successor.expiresAt, session.expiresAt)
        await tx
          .insert(refreshTokens)
          .values({ hash: successor.hash, expiresAt, sessionId: session.id, createdAt: now })
        return { outcome: 'spent', session }
      })
    },

    /** Which of these tokens were issued. */
    async loadIssued(hashes: readonly Buffer[]): Promise<Buffer[]> {
      const rows = await orm
        .select({ hash: refreshTokens.hash })
        .from(refreshTokens)
        .where(inArray(refreshTokens.hash, [...hashes]))
      return rows.map((row) => row.hash)
    },

    /** The session of a token, ended or not. */
    async findSession(hash: Buffer): Promise<SessionRow | null> {
      const [row] = await orm
        .select({ session: sessions })
        .from(refreshTokens)
        .innerJoin(sessions, eq(sessions.id, refreshTokens.sessionId))
        .where(eq(refreshTokens.hash, hash))
      return row?.session ?? null
    },

    /** The session of a token that could be refreshed with now: not spent before `spentSince`, and not past its end. */
    async findRefreshable(hash: Buffer, now: Date, spentSince: Date): Promise<SessionRow | null> {
      const { usedAt, expiresAt } = refreshTokens
      const [row] = await orm
        .select({ session: sessions })
        .from(refreshTokens)
        .innerJoin(sessions, eq(sessions.id, refreshTokens.sessionId))
        .where(
          and(
            eq(refreshTokens.hash, hash),
            gt(expiresAt, now),
            or(isNull(usedAt), gt(usedAt, spentSince)),
            isNull(sessions.revokedAt),
            gt(sessions.expiresAt, now)
          )
        )
      return row?.session ?? null
    }
  }
}

function earlierOf(one: Date, other: Date): Date {
  return new Date(Math.min(one.getTime(), other.getTime()))
}

/** Why a token of a living session could not be spent. */
function refused(session: SessionRow, usedAt: Date | null): Spent {
  return usedAt === null
    ? { outcome: 'expired', session }
    : { outcome: 'used_before', session, usedAt }
}
