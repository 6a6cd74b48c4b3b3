// What the ledger's tables say, read as its readers read them.
import type { Database } from '../../../drizzle/client.ts'

export type UsageTable = 'usage_minutes' | 'usage_hours' | 'usage_days'
export const usageTables: readonly UsageTable[] = ['usage_minutes', 'usage_hours', 'usage_days']

export interface UsageSum {
  calls: number
  ok: number
  client_error: number
  rate_limited: number
  upstream_error: number
  rpc_errors: number
  cost: number
  bytes_in: number
  bytes_out: number
  /** All buckets of the histogram. */
  latencies: number
}

const latencies = Array.from({ length: 27 }, (_, place) => `latency_${place}`).join(' + ')
const sums = `
  COALESCE(SUM(ok + client_error + rate_limited + upstream_error), 0) AS calls,
  COALESCE(SUM(ok), 0) AS ok, COALESCE(SUM(client_error), 0) AS client_error,
  COALESCE(SUM(rate_limited), 0) AS rate_limited, COALESCE(SUM(upstream_error), 0) AS upstream_error,
  COALESCE(SUM(rpc_errors), 0) AS rpc_errors, COALESCE(SUM(cost), 0) AS cost,
  COALESCE(SUM(bytes_in), 0) AS bytes_in, COALESCE(SUM(bytes_out), 0) AS bytes_out,
  COALESCE(SUM(${latencies}), 0) AS latencies`

/** The detail of an endpoint in one table, over all time; of one method, or one key, when named. */
export async function usageOf(
  { pool }: Database,
  endpointId: string,
  { table = 'usage_minutes' as UsageTable, method = '', keyId = '' } = {}
): Promise<UsageSum> {
  const [rows] = await pool.query(
    `SELECT ${sums} FROM ${table} WHERE scope_id = ? AND key_id <> ''
     AND (? = '' OR method = ?) AND (? = '' OR key_id = ?)`,
    [endpointId, method, method, keyId, keyId]
  )
  return numbersOf(rows)
}

/** The row that stands for a scope as a whole: an endpoint, or an org. */
export async function totalOf(
  { pool }: Database,
  scopeId: string,
  table: UsageTable
): Promise<UsageSum> {
  const [rows] = await pool.query(
    `SELECT ${sums} FROM ${table} WHERE scope_id = ? AND key_id = ''`,
    [scopeId]
  )
  return numbersOf(rows)
}

function numbersOf(rows: unknown): UsageSum {
  const [row] = rows as Record<string, unknown>[]
  return Object.fromEntries(
    Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)])
  ) as unknown as UsageSum
}
