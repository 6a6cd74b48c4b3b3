// What one sum of the ledger holds, as places in an array of numbers: the order of the columns of the usage tables
// (drizzle/schema/usage.ts). Threads fill such arrays, the main thread adds them up and writes them.
import type { Outcome } from '../../errors.ts'
import { latencyBoundsMs } from '../counters.ts'

export const columnNames = [
  'ok',
  'client_error',
  'rate_limited',
  'upstream_error',
  'rpc_errors',
  'cost',
  'bytes_in',
  'bytes_out',
  ...Array.from({ length: latencyBoundsMs.length + 1 }, (_, place) => `latency_${place}`)
] as const

export const columnCount = columnNames.length

export const outcomeColumn: Readonly<Record<Outcome, number>> = {
  ok: 0,
  client_error: 1,
  rate_limited: 2,
  upstream_error: 3
}
export const rpcErrorsColumn = 4
export const costColumn = 5
export const bytesInColumn = 6
export const bytesOutColumn = 7
export const firstLatencyColumn = 8

/** Whose sum it is, down to the finest grain. */
export interface UsageIdentity {
  readonly orgId: string
  readonly endpointId: string
  readonly chainId: string
  readonly keyId: string
  readonly method: string
}

/** What one thread counted in one stretch of one minute; `values` holds `columnCount` numbers for each identity. */
export interface SealedBank {
  /** Minutes since 1970, UTC. */
  readonly minute: number
  readonly identities: readonly UsageIdentity[]
  readonly values: Float64Array
  /** Calls that the thread has recorded in all, up to this bank. */
  readonly recorded: number
}
