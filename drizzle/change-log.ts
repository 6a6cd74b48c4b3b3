// How a change is announced to the gateways: inside the transaction that makes it, as its last statements, because the
// row lock on change_sequence is held until commit and makes ids commit in order (see schema/changes.ts).
import { eq, sql } from 'drizzle-orm'
import type { Transaction } from './client.ts'
import { changeLog, changeSequence } from './schema/changes.ts'

export type Change = Omit<typeof changeLog.$inferInsert, 'id' | 'createdAt'>

/** Appends a change and returns its id, the one that `GET /v1/changes/{id}` answers for. */
export async function appendChange(tx: Transaction, change: Change): Promise<number> {
  const [result] = await tx
    .update(changeSequence)
    .set({ lastId: sql`LAST_INSERT_ID(${changeSequence.lastId} + 1)` })
    .where(eq(changeSequence.id, 1))
  const id = result.insertId
  await tx.insert(changeLog).values({ ...change, id, createdAt: new Date() })
  return id
}
