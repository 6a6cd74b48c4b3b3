// What the control plane remembers about the requests made to it: the audit log and idempotency keys.
import { customType, index, int, mysqlTable, primaryKey, varchar } from 'drizzle-orm/mysql-core'
import { digest, id, jsonText, moment, word } from './columns.ts'

const sealedAnswer = customType<{ data: Buffer; driverData: Buffer }>({
  dataType: () => 'mediumblob'
})

export const auditLog = mysqlTable(
  'audit_log',
  {
    id: id('id').primaryKey(),
    orgId: id('org_id'),
    userId: id('user_id'),
    /** e.g. `endpoint.create`, `key.reveal`. */
    action: word('action').notNull(),
    targetId: id('target_id'),
    ip: varchar('ip', { length: 45 }),
    requestId: word('request_id').notNull(),
    detail: jsonText<Record<string, unknown>>('detail').notNull(),
    createdAt: moment('created_at').notNull()
  },
  (table) => [
    index('audit_log_org').on(table.orgId, table.id),
    index('audit_log_user').on(table.userId, table.orgId, table.id),
    index('audit_log_action').on(table.action, table.id)
  ]
)

/** The answer to a creating POST, kept for 24 hours so that the same Idempotency-Key gets the same answer. */
export const idempotencyKeys = mysqlTable(
  'idempotency_keys',
  {
    userId: id('user_id').notNull(),
    key: word('key').notNull(),
    /** SHA-256 of method, path and body: another request under the same key is an error. */
    requestHash: digest('request_hash').notNull(),
    /** Null while the first request is in flight. */
    statusCode: int('status_code'),
    /** The answer can hold an api key's secret, so it is sealed. */
    answer: sealedAnswer('answer'),
    createdAt: moment('created_at').notNull()
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.key] }),
    index('idempotency_keys_age').on(table.createdAt)
  ]
)
