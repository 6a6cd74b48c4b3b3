// How an act gets into the audit log: inside the transaction that does it, so that neither is there without the other.
import type { Transaction } from '../../drizzle/client.ts'
import { newId } from '../../drizzle/ids.ts'
import { auditLog } from '../../drizzle/schema/requests.ts'
import type { AuditEntry } from './audit-entry.ts'

/** Its column holds 65,535 bytes. */
const detailBytesMax = 60_000

export async function appendAudit(tx: Transaction, entry: AuditEntry, now: Date): Promise<void> {
  const detail = boundedDetail(entry.detail)
  await tx
    .insert(auditLog)
    .values({ ...entry, detail, id: newId('aud', now.getTime()), createdAt: now })
}

/** Of what would not fit, the names of its fields and their sizes: the act counts more than its every value. */
function boundedDetail(detail: Record<string, unknown>): Record<string, unknown> {
  if (bytesOf(detail) <= detailBytesMax) return detail
  const sizes = Object.entries(detail).map(([name, value]) => [name, bytesOf(value)])
  return { too_large: true, bytes_by_field: Object.fromEntries(sizes) }
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '')
