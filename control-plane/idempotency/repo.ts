// The SQL of idempotency keys. The primary key decides which of two equal requests is the first.
import { and, eq, isNull, lte } from 'drizzle-orm'
import { type Database, isDuplicate } from '../../drizzle/client.ts'
import { idempotencyKeys } from '../../drizzle/schema/requests.ts'

export type IdempotencyRow = typeof idempotencyKeys.$inferSelect
export type IdempotencyRepo = ReturnType<typeof createIdempotencyRepo>

export interface KeyOfUser {
  userId: string
  key: string
}

export function createIdempotencyRepo({ orm }: Pick<Database, 'orm'>) {
  const is = ({ userId, key }: KeyOfUser) =>
    and(eq(idempotencyKeys.userId, userId), eq(idempotencyKeys.key, key))

  return {
    /** Claims a key; the row that holds it already when somebody was first. One older than `keptSince` is forgotten. */
    async claim(
      owner: KeyOfUser,
      requestHash: Buffer,
      now: Date,
      keptSince: Date
    ): Promise<IdempotencyRow | null> {
      await orm
        .delete(idempotencyKeys)
        .where(and(is(owner), lte(idempotencyKeys.createdAt, keptSince)))
      try {
        await orm.insert(idempotencyKeys).values({ ...owner, requestHash, createdAt: now })
        return null
      } catch (error) {
        if (!isDuplicate(error)) throw error
      }
      const [row] = await orm.select().from(idempotencyKeys).where(is(owner))
      // Released between the two statements: the client is told to try again.
      return row ?? { ...owner, requestHash, statusCode: null, answer: null, createdAt: now }
    },

    async complete(owner: KeyOfUser, statusCode: number, answer: Buffer): Promise<void> {
      await orm.update(idempotencyKeys).set({ statusCode, answer }).where(is(owner))
    },

    async release(owner: KeyOfUser): Promise<void> {
      await orm.delete(idempotencyKeys).where(and(is(owner), isNull(idempotencyKeys.statusCode)))
    }
  }
}
