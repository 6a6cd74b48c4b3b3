// What a tenant creates: endpoints (a chain plus limits) and the api keys that open them.
import { bigint, index, int, mysqlTable, uniqueIndex } from 'drizzle-orm/mysql-core'
import { digest, id, jsonText, label, moment, sealed, word } from './columns.ts'

export const endpoints = mysqlTable(
  'endpoints',
  {
    id: id('id').primaryKey(),
    orgId: id('org_id').notNull(),
    chainId: id('chain_id').notNull(),
    name: label('name').notNull(),
    /** Limits of this endpoint, shared by its keys; null is no limit. Cost per second, cost, cost per UTC day. */
    requestsPerSecond: int('requests_per_second'),
    burst: int('burst'),
    dailyQuota: bigint('daily_quota', { mode: 'number' }),
    /** Null is anything; a list is exactly that. */
    allowedMethods: jsonText<string[]>('allowed_methods'),
    allowedOrigins: jsonText<string[]>('allowed_origins'),
    /** Addresses or CIDR blocks. */
    allowedIps: jsonText<string[]>('allowed_ips'),
    status: word('status').$type<'active' | 'paused'>().notNull(),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    /** A deleted endpoint stays, so that its keys answer `key_revoked` and its usage stays readable. */
    deletedAt: moment('deleted_at')
  },
  (table) => [
    index('endpoints_org').on(table.orgId, table.id),
    index('endpoints_chain').on(table.chainId)
  ]
)

export const apiKeys = mysqlTable(
  'api_keys',
  {
    id: id('id').primaryKey(),
    endpointId: id('endpoint_id').notNull(),
    /** SHA-256 of the secret, defined in api-key.ts. The gateway looks keys up by this alone. */
    hash: digest('hash').notNull(),
    /** Public forms: what a person recognises the key by. */
    prefix: word('prefix').notNull(),
    last4: word('last4').notNull(),
    /** The secret for reveal (secret-box, bound to this row's id); null when revealing is switched off. */
    secret: sealed('secret'),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at'),
    revokedAt: moment('revoked_at'),
    lastUsedAt: moment('last_used_at')
  },
  (table) => [
    uniqueIndex('api_keys_hash').on(table.hash),
    index('api_keys_endpoint').on(table.endpointId)
  ]
)
