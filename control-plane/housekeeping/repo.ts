// The SQL that removes what has had its time, a limited number of rows at once, so that no statement holds many locks.
import { and, asc, lt, lte, max } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
import { newId } from '../../drizzle/ids.ts'
import {
  attemptCounts,
  emailTokens,
  refreshTokens,
  sessions
} from '../../drizzle/schema/accounts.ts'
import { changeApplications, changeLog, gatewayNodes } from '../../drizzle/schema/changes.ts'
import { auditLog, idempotencyKeys } from '../../drizzle/schema/requests.ts'
import {
  callErrors,
  quotaUsage,
  usageDays,
  usageHours,
  usageMinutes,
  usageWriters
} from '../../drizzle/schema/usage.ts'
import { lockNameOf } from '../../drizzle/server-lock.ts'

export type HousekeepingRepo = ReturnType<typeof createHousekeepingRepo>

const lockName = lockNameOf('sweep')

/** Each call that removes answers how many rows it removed. */
export function createHousekeepingRepo(database: Pick<Database, 'orm' | 'pool'>) {
  return {
    ...accountStatements(database),
    ...recordStatements(database),
    ...usageStatements(database),

    /** Null when another process is at it. */
    async underLock<T>(work: () => Promise<T>): Promise<T | null> {
      const connection = await database.pool.getConnection()
      try {
        const [rows] = await connection.query(`SELECT GET_LOCK(${lockName}, 0) AS held`)
        if ((rows as { held: number | null }[])[0]?.held !== 1) return null
        const result = await work()
        // By name, so that it is free when this is over: the server learns of a closed connection later.
        await connection.query(`DO RELEASE_LOCK(${lockName})`)
        return result
      } finally {
        // Whatever happened, the lock goes with its connection.
        connection.destroy()
      }
    }
  }
}

const usageTables = { usageMinutes, usageHours, usageDays }
export type UsageTableName = keyof typeof usageTables

/** By age, the oldest first: so a statement looks at no row that it does not remove, and locks none that is written. */
function usageStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    async removeUsage(name: UsageTableName, startedBefore: Date, rowsMax: number): Promise<number> {
      const table = usageTables[name]
      const [result] = await orm
        .delete(table)
        .where(lt(table.startsAt, startedBefore))
        .orderBy(asc(table.startsAt))
        .limit(rowsMax)
      return result.affectedRows
    },

    async removeUsageWriters(updatedBefore: Date, rowsMax: number): Promise<number> {
      // Ids of boots sort by age, so the key leads to those that began before.
      const bootedBefore = lt(usageWriters.bootId, newId('boot', updatedBefore.getTime()))
      const [result] = await orm
        .delete(usageWriters)
        .where(and(bootedBefore, lt(usageWriters.updatedAt, updatedBefore)))
        .limit(rowsMax)
      return result.affectedRows
    },

    async removeCallErrors(occurredBefore: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(callErrors)
        .where(lt(callErrors.occurredAt, occurredBefore))
        .orderBy(asc(callErrors.occurredAt))
        .limit(rowsMax)
      return result.affectedRows
    },

    async removeQuotaUsage(before: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(quotaUsage)
        .where(lt(quotaUsage.day, before.toISOString().slice(0, 10)))
        .orderBy(asc(quotaUsage.day))
        .limit(rowsMax)
      return result.affectedRows
    }
  }
}

function accountStatements({ orm }: Pick<Database, 'orm'>) {
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

    async removeAttemptCounts(expiredBefore: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(attemptCounts)
        .where(lt(attemptCounts.expiresAt, expiredBefore))
        .limit(rowsMax)
      return result.affectedRows
    },

    async removeIdempotencyKeys(madeBefore: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(idempotencyKeys)
        .where(lt(idempotencyKeys.createdAt, madeBefore))
        .limit(rowsMax)
      return result.affectedRows
    }
  }
}

/** What tells of the past: who did what, and which gateways had which change in force. */
function recordStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    /** By the key, whose ids sort by age. */
    async removeAuditEntries(madeBefore: Date, rowsMax: number): Promise<number> {
      const idsBefore = lt(auditLog.id, newId('aud', madeBefore.getTime()))
      const [result] = await orm
        .delete(auditLog)
        .where(and(idsBefore, lt(auditLog.createdAt, madeBefore)))
        .orderBy(asc(auditLog.id))
        .limit(rowsMax)
      return result.affectedRows
    },

    async removeGatewayNodes(seenBefore: Date, rowsMax: number): Promise<number> {
      const [result] = await orm
        .delete(gatewayNodes)
        .where(lt(gatewayNodes.seenAt, seenBefore))
        .orderBy(asc(gatewayNodes.seenAt))
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
