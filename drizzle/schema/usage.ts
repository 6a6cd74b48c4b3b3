// What has been consumed.
import { bigint, date, mysqlTable, primaryKey } from 'drizzle-orm/mysql-core'
import { id } from './columns.ts'

/**
 * Consumption of a scope (an endpoint or an org) in one UTC day, a row for each gateway boot that counted it.
 * A writer owns its row and writes the absolute figure, so writing twice after an ambiguous commit is harmless;
 * the day's consumption is the sum over writers.
 */
export const quotaUsage = mysqlTable(
  'quota_usage',
  {
    scopeId: id('scope_id').notNull(),
    day: date('day', { mode: 'string' }).notNull(),
    bootId: id('boot_id').notNull(),
    used: bigint('used', { mode: 'number' }).notNull()
  },
  (table) => [primaryKey({ columns: [table.scopeId, table.day, table.bootId] })]
)
