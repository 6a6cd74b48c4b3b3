// How the gateways learn of a change, and how anybody can prove that they did.
//
// A change gets its id from `change_sequence`, by an update whose row lock is held until the transaction
// commits. So ids commit in order: a gateway that has applied change N has applied every change before N.
// (Auto-increment ids commit out of order, and then "applied up to N" would be a guess.)
import { bigint, index, mysqlTable, primaryKey, tinyint } from 'drizzle-orm/mysql-core'
import { id, moment, word } from './columns.ts'

/** Exactly one row, id 1, written by the migration. */
export const changeSequence = mysqlTable('change_sequence', {
  id: tinyint('id').primaryKey(),
  lastId: bigint('last_id', { mode: 'number' }).notNull()
})

/** The scope of a change is the set of ids whose cached records it makes stale; null is "not by this one". */
export const changeLog = mysqlTable(
  'change_log',
  {
    id: bigint('id', { mode: 'number' }).primaryKey(),
    entity: word('entity').$type<'key' | 'endpoint' | 'org' | 'chain' | 'upstream'>().notNull(),
    entityId: id('entity_id').notNull(),
    orgId: id('org_id'),
    endpointId: id('endpoint_id'),
    chainId: id('chain_id'),
    createdAt: moment('created_at').notNull()
  },
  (table) => [index('change_log_age').on(table.createdAt)]
)

export const gatewayNodes = mysqlTable(
  'gateway_nodes',
  {
    nodeId: word('node_id').primaryKey(),
    bootId: id('boot_id').notNull(),
    bootedAt: moment('booted_at').notNull(),
    seenAt: moment('seen_at').notNull(),
    /** Every change up to this id is in force on every thread of the node. */
    appliedChangeId: bigint('applied_change_id', { mode: 'number' }).notNull()
  },
  (table) => [index('gateway_nodes_seen').on(table.seenAt)]
)

/** When a node had a change in force on all its threads. A node that booted later has no row: it never knew the old state. */
export const changeApplications = mysqlTable(
  'change_applications',
  {
    changeId: bigint('change_id', { mode: 'number' }).notNull(),
    nodeId: word('node_id').notNull(),
    bootId: id('boot_id').notNull(),
    appliedAt: moment('applied_at').notNull()
  },
  (table) => [primaryKey({ columns: [table.changeId, table.nodeId] })]
)
