// What has been consumed: the ledger of sums, the quotas of the day, and the latest errors.
import {
  bigint,
  customType,
  date,
  datetime,
  index,
  int,
  mysqlTable,
  primaryKey,
  smallint
} from 'drizzle-orm/mysql-core'
import { excerpt, id, moment, word } from './columns.ts'

/**
 * Consumption of a scope (an endpoint or an org) in one UTC day, a row for each writer: a boot of a gateway that counts the
 * scope, or `before_quota`, for what was used before there was a quota.
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
  (table) => [
    primaryKey({ columns: [table.scopeId, table.day, table.bootId] }),
    index('quota_usage_age').on(table.day)
  ]
)

/** Upper bounds of the latency buckets, milliseconds; the last bucket is +Inf. Percentiles found in them are within 8 % (control-plane/analytics/percentile.ts says when not). */
export const latencyBoundsMs = [
  0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 256, 362, 512, 724,
  1024, 2048, 4096, 8192
] as const

const bigCount = (name: string) => bigint(name, { mode: 'number', unsigned: true }).notNull()

/** A bucket of the latency histogram; see latencyBoundsMs. An hour of calls fits 32 bits up to 1.2 million a second. */
const bucketType = (isWide: boolean) =>
  customType<{ data: number; driverData: number | string; notNull: true }>({
    dataType: () => (isWide ? 'bigint unsigned' : 'int unsigned'),
    fromDriver: Number
  })

/** The start of a minute, an hour or a day in UTC. */
const start = (name: string) => datetime(name, { mode: 'date' })

/**
 * One row is a sum over a step of time. Three grains stand side by side, written in the same transaction, so that no
 * question has to add up more rows than it shows:
 *
 *   scope_id   chain_id  key_id  method
 *   endpoint   its chain  key    method    the detail: every call is in exactly one of these
 *   endpoint   its chain  ''     ''        the endpoint as a whole
 *   org        chain      ''     method    the org by chain and method
 */
function usageTable(name: string, hasWideBuckets = false) {
  const column = bucketType(hasWideBuckets)
  const bucket = (place: number) => column(`latency_${place}`).notNull()
  return mysqlTable(
    name,
    {
      scopeId: id('scope_id').notNull(),
      startsAt: start('starts_at').notNull(),
      chainId: id('chain_id').notNull(),
      keyId: id('key_id').notNull(),
      method: word('method').notNull(),
      ok: bigCount('ok'),
      clientError: bigCount('client_error'),
      rateLimited: bigCount('rate_limited'),
      upstreamError: bigCount('upstream_error'),
      /** Of the calls, those that the node answered with a JSON-RPC error. */
      rpcErrors: bigCount('rpc_errors'),
      cost: bigCount('cost'),
      bytesIn: bigCount('bytes_in'),
      bytesOut: bigCount('bytes_out'),
      latency0: bucket(0),
      latency1: bucket(1),
      latency2: bucket(2),
      latency3: bucket(3),
      latency4: bucket(4),
      latency5: bucket(5),
      latency6: bucket(6),
      latency7: bucket(7),
      latency8: bucket(8),
      latency9: bucket(9),
      latency10: bucket(10),
      latency11: bucket(11),
      latency12: bucket(12),
      latency13: bucket(13),
      latency14: bucket(14),
      latency15: bucket(15),
      latency16: bucket(16),
      latency17: bucket(17),
      latency18: bucket(18),
      latency19: bucket(19),
      latency20: bucket(20),
      latency21: bucket(21),
      latency22: bucket(22),
      latency23: bucket(23),
      latency24: bucket(24),
      latency25: bucket(25),
      latency26: bucket(26)
    },
    (table) => [
      // The key before the time: the sums of a scope as a whole (key '') are then a range of their own, which is read
      // without touching the detail of its keys, and so is one key of it.
      primaryKey({
        columns: [table.scopeId, table.keyId, table.startsAt, table.chainId, table.method]
      }),
      // Retention removes by age.
      index(`${name}_age`).on(table.startsAt)
    ]
  )
}

export const usageMinutes = usageTable('usage_minutes')
export const usageHours = usageTable('usage_hours')
export const usageDays = usageTable('usage_days', true)

/**
 * How far each boot of a gateway has written. A flush moves `seq` from n − 1 to n in the transaction that adds its sums,
 * so a flush that is repeated after an ambiguous commit finds its seq taken and changes nothing.
 */
export const usageWriters = mysqlTable(
  'usage_writers',
  {
    bootId: id('boot_id').primaryKey(),
    nodeId: word('node_id').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    /** Everything that this boot counted before this moment is in the tables. */
    completeUntil: moment('complete_until').notNull(),
    updatedAt: moment('updated_at').notNull(),
    /** When this boot had written its last flush, or the next boot of its node found that it had not. Null while it runs. */
    endedAt: moment('ended_at')
  },
  (table) => [index('usage_writers_node').on(table.nodeId)]
)

/** The latest failed calls of an endpoint, for its owner to look into: a bounded sample, not a count. */
export const callErrors = mysqlTable(
  'call_errors',
  {
    id: id('id').primaryKey(),
    orgId: id('org_id').notNull(),
    endpointId: id('endpoint_id').notNull(),
    keyId: id('key_id').notNull(),
    occurredAt: moment('occurred_at').notNull(),
    method: word('method').notNull(),
    /** The JSON-RPC error code, ours or the node's; null when the answer had none. */
    code: int('code'),
    /** Our reason, or `upstream` when the node's own answer was the error. */
    reason: word('reason').notNull(),
    status: smallint('status').notNull(),
    durationMs: int('duration_ms').notNull(),
    upstreamId: id('upstream_id'),
    requestId: word('request_id').notNull(),
    /** The start of the call's params, at most 512 bytes; null where they could hold a secret (signing, accounts). */
    params: excerpt('params')
  },
  (table) => [
    index('call_errors_endpoint').on(table.endpointId, table.id),
    index('call_errors_age').on(table.occurredAt)
  ]
)
