// Counts of what was tried, in the database, so that several control planes share them. An attempt is counted before it is
// judged and given back when it was none of the kind that is counted: however many are under way at once, no more than
// the allowance are ever judged.
import { createHash } from 'node:crypto'
import { and, eq, gt, inArray, sql } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
import { attemptCounts } from '../../drizzle/schema/accounts.ts'

export interface Allowance {
  id: Buffer
  max: number
  /** How long a count goes on. */
  lifeMs: number
  /** Whether each attempt makes the count last as long again; otherwise the first one says when it ends. */
  isRenewed: boolean
}

/** `count` is how many there are with this one, in the order of the allowances. */
export type Taken =
  | { outcome: 'taken'; counts: number[] }
  | { outcome: 'full'; allowance: Allowance; until: Date }

export type AttemptCounts = ReturnType<typeof createAttemptCounts>

export function createAttemptCounts({ orm }: Pick<Database, 'orm'>) {
  return {
    /** Counts one more attempt on each, or on none of them when one is full. */
    async take(allowances: readonly Allowance[], now: Date): Promise<Taken> {
      return await orm.transaction(async (tx) => {
        // Rows first, then their locks: a lock on a row that is not there would be one on its whole neighbourhood. In the
        // order of their ids, as every statement here takes them, so that no two wait for each other.
        for (const { id, lifeMs } of allowances.toSorted((a, b) => a.id.compare(b.id))) {
          await tx
            .insert(attemptCounts)
            .values({ id, attempts: 0, expiresAt: new Date(now.getTime() + lifeMs) })
            .onDuplicateKeyUpdate({ set: { attempts: sql`${attemptCounts.attempts}` } })
        }
        const rows = await tx
          .select()
          .from(attemptCounts)
          .where(inArray(attemptCounts.id, idsOf(allowances)))
          .for('update')
        const states = allowances.map((allowance) => {
          const row = rows.find(({ id }) => id.equals(allowance.id))
          const isCounting = row !== undefined && row.attempts > 0 && row.expiresAt > now
          return {
            allowance,
            attempts: isCounting ? row.attempts : 0,
            until: row?.expiresAt ?? now
          }
        })
        const full = states.find(({ allowance, attempts }) => attempts >= allowance.max)
        if (full !== undefined) {
          return { outcome: 'full', allowance: full.allowance, until: full.until }
        }
        for (const { allowance, attempts, until } of states) {
          const starts = attempts === 0 || allowance.isRenewed
          const expiresAt = starts ? new Date(now.getTime() + allowance.lifeMs) : until
          await tx
            .update(attemptCounts)
            .set({ attempts: attempts + 1, expiresAt })
            .where(eq(attemptCounts.id, allowance.id))
        }
        return { outcome: 'taken', counts: states.map(({ attempts }) => attempts + 1) }
      })
    },

    /** Takes back an attempt that was not judged. */
    async giveBack(allowances: readonly Allowance[]): Promise<void> {
      await orm
        .update(attemptCounts)
        .set({ attempts: sql`${attemptCounts.attempts} - 1` })
        .where(and(inArray(attemptCounts.id, idsOf(allowances)), gt(attemptCounts.attempts, 0)))
    },

    async clear(allowances: readonly Allowance[]): Promise<void> {
      await orm.delete(attemptCounts).where(inArray(attemptCounts.id, idsOf(allowances)))
    }
  }
}

/** The count of failed sign-ins to an account from wherever, which a new password ends. */
export function accountCountId(userId: string): Buffer {
  return createHash('sha256').update(`sign-in ${userId}`).digest()
}

function idsOf(allowances: readonly Allowance[]): Buffer[] {
  return allowances.map(({ id }) => id)
}
