// How a question becomes SQL on the usage tables: which rows are in it, which step and group each belongs to, and what is
// added up.
import { and, gte, inArray, lt, or, type SQL, sql } from 'drizzle-orm'
import type { MySqlColumn } from 'drizzle-orm/mysql-core'
import { latencyBoundsMs, usageDays, usageHours, usageMinutes } from '../../drizzle/schema/usage.ts'
import type { Dimension, ScopeKeys, Slice } from './slice.ts'
import { type Step, stepMs } from './time-range.ts'
import { type Counts, countNames } from './usage-sums.ts'

/** The end of a span is not part of it. */
export interface Span {
  grain: Step
  from: Date
  to: Date
}

/** A span in steps: the start of each, and the end of the last, in milliseconds. */
export interface Steps extends Span {
  step: Step
  bounds: readonly number[]
}

export const usageTables = { '1m': usageMinutes, '1h': usageHours, '1d': usageDays }
export type UsageTable = (typeof usageTables)[Step]

export function groupColumn(table: UsageTable, groupBy: Dimension): MySqlColumn {
  const columns = {
    endpoint: table.scopeId,
    key: table.keyId,
    method: table.method,
    chain: table.chainId
  }
  return columns[groupBy]
}

const units = { '1m': sql`MINUTE`, '1h': sql`HOUR`, '1d': sql`DAY` }

/** Which of the steps a row belongs to; 0 is the first. */
export function placeColumn(table: UsageTable, { step, grain, bounds }: Steps) {
  const [first = 0, ...later] = bounds
  const start = sql.param(new Date(first), table.startsAt)
  const distance = sql<number>`TIMESTAMPDIFF(${units[grain]}, ${start}, ${table.startsAt})`
  if (grain === step) return distance.mapWith(Number)
  // Steps of unequal length: INTERVAL() is a binary search for the last start that is not beyond. It wants two at least.
  const starts = later.map((bound) => sql`${(bound - first) / stepMs[grain]}`)
  return sql<number>`INTERVAL(${distance}, ${sql.join(starts, sql`, `)})`.mapWith(Number)
}

/** The rows of a slice in a span. */
export function isIn(table: UsageTable, slice: Slice, { from, to }: Omit<Span, 'grain'>) {
  const { scopes, methods, chainIds } = slice
  return and(
    areOf(table, scopes),
    gte(table.startsAt, from),
    lt(table.startsAt, to),
    methods === undefined ? undefined : inArray(table.method, [...methods]),
    chainIds === undefined ? undefined : inArray(table.chainId, [...chainIds])
  )
}

/** Scopes with the same keys are told in one list; the others one by one, so that each is a range of its own. */
function areOf(table: UsageTable, scopes: readonly ScopeKeys[]): SQL | undefined {
  const byKeys = Map.groupBy(scopes, ({ keyIds }) => keyIds.join())
  const alike = [...byKeys.values()].map((group) => ({
    scopeIds: group.map(({ scopeId }) => scopeId),
    keyIds: [...(group[0]?.keyIds ?? [])]
  }))
  return or(
    ...alike.map(({ scopeIds, keyIds }) =>
      and(inArray(table.scopeId, scopeIds), inArray(table.keyId, keyIds))
    )
  )
}

/** DOUBLE is exact up to 2^53 and adds up faster than DECIMAL, which the sum of integers would be. */
export function sumOf(column: MySqlColumn) {
  return sql<number>`SUM(${column} + 0e0)`.mapWith(Number)
}

export function countColumns(table: UsageTable) {
  const columns = countNames.map((name) => [name, sumOf(table[name])])
  return Object.fromEntries(columns) as Record<keyof Counts, ReturnType<typeof sumOf>>
}

const latencyNames = Array.from(
  { length: latencyBoundsMs.length + 1 },
  (_, place) => `latency${place}` as 'latency0'
)

/** All buckets in one text: reading them as columns takes half of the time of a large answer. */
export function latencyColumn(table: UsageTable) {
  const sums = latencyNames.map((name) => sumOf(table[name]))
  const text = sql<number[]>`CONCAT_WS(' ', ${sql.join(sums, sql`, `)})`
  return text.mapWith((buckets: string) => buckets.split(' ').map(Number))
}
