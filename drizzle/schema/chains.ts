// What can be called: chains and the upstream nodes that serve them.
import { index, mysqlTable, uniqueIndex } from 'drizzle-orm/mysql-core'
import { id, jsonText, label, moment, sealed, word } from './columns.ts'

export const chains = mysqlTable(
  'chains',
  {
    id: id('id').primaryKey(),
    /** What people and endpoints call it, e.g. `ethereum`: `[a-z0-9-]`, unique. */
    name: word('name').notNull(),
    /** `evm` and `jsonrpc` bodies are scanned and charged by method; `rest` requests pass as they are. */
    kind: word('kind').$type<'evm' | 'jsonrpc' | 'rest'>().notNull(),
    /** Cost per call by method name; a method that is not here costs 1. */
    methodWeights: jsonText<Record<string, number>>('method_weights').notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull()
  },
  (table) => [uniqueIndex('chains_name').on(table.name)]
)

export const upstreams = mysqlTable(
  'upstreams',
  {
    id: id('id').primaryKey(),
    chainId: id('chain_id').notNull(),
    name: label('name').notNull(),
    /** The node's URL. It usually carries a provider's key, so it is sealed (secret-box, bound to this row's id). */
    url: sealed('url').notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull()
  },
  (table) => [index('upstreams_chain').on(table.chainId)]
)
