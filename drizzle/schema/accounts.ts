// People and what they belong to: users, their sessions, the tokens mailed to them, orgs and memberships.
// No foreign keys anywhere in this schema: the MySQL-compatible clusters shard without them, rows that
// matter are never removed while something refers to them, and the services check what they refer to.
import {
  bigint,
  boolean,
  index,
  int,
  mysqlTable,
  primaryKey,
  uniqueIndex,
  varchar
} from 'drizzle-orm/mysql-core'
import { digest, email, id, label, moment, word } from './columns.ts'

export const users = mysqlTable(
  'users',
  {
    id: id('id').primaryKey(),
    email: email('email').notNull(),
    /** PHC string of argon2id, or an imported bcrypt hash until its owner's next login. */
    passwordHash: varchar('password_hash', { length: 255 }).notNull(),
    firstName: label('first_name').notNull(),
    lastName: label('last_name').notNull(),
    isOperator: boolean('is_operator').notNull().default(false),
    emailVerifiedAt: moment('email_verified_at'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull()
  },
  (table) => [uniqueIndex('users_email').on(table.email)]
)

/** One login on one device: the family of refresh tokens that descend from it. */
export const sessions = mysqlTable(
  'sessions',
  {
    id: id('id').primaryKey(),
    userId: id('user_id').notNull(),
    userAgent: varchar('user_agent', { length: 255 }),
    ip: varchar('ip', { length: 45 }),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at').notNull(),
    revokedAt: moment('revoked_at')
  },
  (table) => [index('sessions_user').on(table.userId), index('sessions_expiry').on(table.expiresAt)]
)

export const refreshTokens = mysqlTable(
  'refresh_tokens',
  {
    hash: digest('hash').primaryKey(),
    sessionId: id('session_id').notNull(),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at').notNull(),
    /** Set once, by the one update that spends the token. */
    usedAt: moment('used_at')
  },
  (table) => [
    index('refresh_tokens_session').on(table.sessionId),
    index('refresh_tokens_expiry').on(table.expiresAt)
  ]
)

/** Single-use tokens sent by mail. `email` is the address that the token proves. */
export const emailTokens = mysqlTable(
  'email_tokens',
  {
    hash: digest('hash').primaryKey(),
    userId: id('user_id').notNull(),
    purpose: word('purpose').$type<'verify_email' | 'reset_password'>().notNull(),
    email: email('email').notNull(),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at').notNull(),
    usedAt: moment('used_at')
  },
  (table) => [
    index('email_tokens_user').on(table.userId),
    index('email_tokens_expiry').on(table.expiresAt)
  ]
)

/** How often something was tried lately, such as signing in to one account from one block of addresses. */
export const attemptCounts = mysqlTable(
  'attempt_counts',
  {
    /** A keyed digest of what is counted, so that no address that somebody typed is kept in clear. */
    id: digest('id').primaryKey(),
    attempts: int('attempts').notNull(),
    /** The count is over then. */
    expiresAt: moment('expires_at').notNull()
  },
  (table) => [index('attempt_counts_expiry').on(table.expiresAt)]
)

export const orgs = mysqlTable('orgs', {
  id: id('id').primaryKey(),
  name: label('name').notNull(),
  /** Limits of the whole org, shared by all its endpoints; null is no limit. Cost per second, cost, cost per UTC day. */
  requestsPerSecond: int('requests_per_second'),
  burst: int('burst'),
  dailyQuota: bigint('daily_quota', { mode: 'number' }),
  /** Set by the operator: until it is null again, no key of the org opens anything, and its members change nothing. */
  suspendedAt: moment('suspended_at'),
  createdAt: moment('created_at').notNull(),
  updatedAt: moment('updated_at').notNull()
})

export const memberships = mysqlTable(
  'memberships',
  {
    orgId: id('org_id').notNull(),
    userId: id('user_id').notNull(),
    role: word('role').$type<'owner' | 'admin' | 'member'>().notNull(),
    createdAt: moment('created_at').notNull()
  },
  (table) => [
    primaryKey({ columns: [table.orgId, table.userId] }),
    index('memberships_user').on(table.userId)
  ]
)
