// How an act gets into the audit log: inside the transaction that does it, so that neither is there without the other.
import type { Transaction } from '../../drizzle/client.ts'
import { newId } from '../../drizzle/ids.ts'
import { auditLog } from '../../drizzle/schema/requests.ts'
import type { AuditEntry } from './audit-entry.ts'

export async function appendAudit(tx: Transaction, entry: AuditEntry, now: Date): Promise<void> {
  await tx.insert(auditLog).values({ ...entry, id: newId('aud', now.getTime()), createdAt: now })
}
