// The SQL that removes what has had its time, a limited number of rows at once, so that no statement holds many locks.
import { and, lt, lte, max } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
import { emailTokens, refreshTokens, sessions } from '../../drizzle/schema/accounts.ts'
import { changeApplications, changeLog } from '../../drizzle/schema/changes.ts'
import { idempotencyKeys } from '../../drizzle/schema/requests.ts'

export type HousekeepingRepo = ReturnType<typeof createHousekeepingRepo>

/** Each call answers how many rows it removed. */
export function createHousekeepingRepo({ orm }: Pick<Database, 'orm'>) {
  return {
    async removeRefreshTokens(expiredBefore: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(refreshTokens)
        .where(lt(refreshTokens.expiresAt, expiredBefore))
        .limit(rowsMax)
      return result.affectedRows
    },

    async removeSessions(expiredBefore: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(sessions)
        .where(lt(sessions.expiresAt, expiredBefore))
        .limit(rowsMax)
      return result.affectedRows
    },

    async removeEmailTokens(expiredBefore: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(emailTokens)
        .where(lt(emailTokens.expiresAt, expiredBefore))
        .limit(rowsMax)
      return result.affectedRows
    },

    async removeIdempotencyKeys(madeBefore: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(idempotencyKeys)
        .where(lt(idempotencyKeys.createdAt, madeBefore))
        .limit(rowsMax)
      return result.affectedRows
    },

    /** With the applications of the changes, which have no age of their own. */
    async removeChanges(madeBefore: Date, rowsMax: number): Promise<number> {
      const [newest] = await orm
        .select({ id: max(changeLog.id) })
        .from(changeLog)
        .where(lt(changeLog.createdAt, madeBefore))
      const id = newest?.id ?? null
      if (id === null) return 0
      const [applications] = await orm
        .delete(changeApplications)
        .where(lte(changeApplications.changeId, id))
        .limit(rowsMax)
      if (applications.affectedRows > 0) return applications.affectedRows
      const [changes] = await orm
        .delete(changeLog)
        .where(and(lte(changeLog.id, id), lt(changeLog.createdAt, madeBefore)))
        .limit(rowsMax)
      return changes.affectedRows
    }
  }
}
