// Usage as gateways write it: every call is in the detail, in the total of its endpoint and in that of its org, by the
// minute, the hour and the day.
import { getTableColumns, sql } from 'drizzle-orm'
import type { Database } from '../../../drizzle/client.ts'
import {
  latencyBoundsMs,
  usageDays,
  usageHours,
  usageMinutes
} from '../../../drizzle/schema/usage.ts'

/** Calls of one kind. */
export interface Called {
  orgId: string
  endpointId: string
  chainId: string
  keyId: string
  at: Date
  method?: string
  ok?: number
  clientError?: number
  rateLimited?: number
  upstreamError?: number
  rpcErrors?: number
  costEach?: number
  /** One for each call, or none. */
  latenciesMs?: readonly number[]
}

type UsageRow = typeof usageDays.$inferInsert

const tables = [
  { table: usageMinutes, ms: 60_000 },
  { table: usageHours, ms: 3_600_000 },
  { table: usageDays, ms: 86_400_000 }
]

export async function recordCalls(
  { orm }: Pick<Database, 'orm'>,
  all: readonly Called[]
): Promise<void> {
  for (const { table, ms } of tables) {
    const rows = all.flatMap((called) => rowsOf(called, ms))
    for (let start = 0; start < rows.length; start += 500) {
      await orm
        .insert(table)
        .values(rows.slice(start, start + 500))
        .onDuplicateKeyUpdate({ set: added })
    }
  }
}

const sums = Object.keys(getTableColumns(usageDays)).filter(
  (name) => !['scopeId', 'startsAt', 'chainId', 'keyId', 'method'].includes(name)
)
const added = Object.fromEntries(
  sums.map((name) => {
    const column = sql.identifier(getTableColumns(usageDays)[name as 'ok'].name)
    return [name, sql`${column} + VALUES(${column})`]
  })
)

function rowsOf(called: Called, ms: number): UsageRow[] {
  const { orgId, endpointId, chainId, keyId, at, method = 'eth_call' } = called
  const startsAt = new Date(Math.floor(at.getTime() / ms) * ms)
  const { ok = 0, clientError = 0, rateLimited = 0, upstreamError = 0, rpcErrors = 0 } = called
  const calls = ok + clientError + rateLimited + upstreamError
  const cost = calls * (called.costEach ?? 1)
  const counts = { ok, clientError, rateLimited, upstreamError, rpcErrors, cost }
  const figures = { ...counts, bytesIn: calls * 100, bytesOut: calls * 1000 }
  const latency = Object.fromEntries(
    histogramOf(called.latenciesMs ?? []).map((count, place) => [`latency${place}`, count])
  )
  const base = { startsAt, chainId, ...figures, ...latency } as Omit<
    UsageRow,
    'scopeId' | 'keyId' | 'method'
  >
  return [
    { ...base, scopeId: endpointId, keyId, method },
    { ...base, scopeId: endpointId, keyId: '', method: '' },
    { ...base, scopeId: orgId, keyId: '', method }
  ]
}

/** How many of the latencies fall into each bucket; an upper bound belongs to its bucket. */
export function histogramOf(latenciesMs: readonly number[]): number[] {
  const buckets = new Array<number>(latencyBoundsMs.length + 1).fill(0)
  for (const ms of latenciesMs) {
    const found = latencyBoundsMs.findIndex((bound) => ms <= bound)
    const place = found === -1 ? latencyBoundsMs.length : found
    buckets[place] = (buckets[place] ?? 0) + 1
  }
  return buckets
}
