// What a hot thread adds up for the ledger: one row of numbers for each (key, method) that was called since the last
// seal. A record is a look-up and nine additions, under 100 ns (bench/stages/usage).
//
// A bank belongs to one minute of the calendar, fixed when it is started, and is sealed at that minute's end, or earlier
// when the main thread asks. So a call is booked in the minute in which it was counted, whatever the clock does, and
// what a thread holds is bounded by the keys and methods that are called within one flush.
import type { Clock } from '../../clock.ts'
import type { Outcome } from '../../errors.ts'
import type { CachedKey } from '../../keys/cached-key.ts'
import { otherMethod } from '../../rpc/method-names.ts'
import { bucketOf } from '../counters.ts'
import {
  bytesInColumn,
  bytesOutColumn,
  columnCount,
  costColumn,
  firstLatencyColumn,
  outcomeColumn,
  rpcErrorsColumn,
  type SealedBank,
  type UsageIdentity
} from './columns.ts'

/** One call, as the ledger sees it. */
export interface UsageEntry {
  readonly method: string
  readonly outcome: Outcome
  readonly isRpcError: boolean
  readonly cost: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly latencyMs: number
}

const minuteMs = 60_000
/** Rows for which there is room at first; doubled when they are full. */
const rowsAtFirst = 64

export interface UsageBankDeps {
  readonly clock: Clock
  /** USAGE_ROWS_MAX */
  readonly rowsMax: number
  readonly onSealed: (bank: SealedBank) => void
}

export class UsageBank {
  readonly #deps: UsageBankDeps
  #number = 0
  #minute = 0
  #endsAtMs = 0
  #identities: UsageIdentity[] = []
  #values = new Float64Array(rowsAtFirst * columnCount)
  #recorded = 0

  constructor(deps: UsageBankDeps) {
    this.#deps = deps
    this.#begin()
  }

  /** `nowMs` is the caller's reading of the monotonic clock. */
  record(key: CachedKey, entry: UsageEntry, nowMs: number): void {
    if (nowMs >= this.#endsAtMs) this.seal()
    const row = this.#rowOf(key, entry.method)
    const values = this.#values
    add(values, row + outcomeColumn[entry.outcome], 1)
    if (entry.isRpcError) add(values, row + rpcErrorsColumn, 1)
    add(values, row + costColumn, entry.cost)
    add(values, row + bytesInColumn, entry.bytesIn)
    add(values, row + bytesOutColumn, entry.bytesOut)
    add(values, row + firstLatencyColumn + bucketOf(entry.latencyMs), 1)
    this.#recorded++
  }

  /** Hands over what was counted, and starts anew. */
  seal(): void {
    const identities = this.#identities
    if (identities.length > 0) {
      const values = this.#values.slice(0, identities.length * columnCount)
      this.#identities = []
      this.#values.fill(0, 0, values.length)
      this.#deps.onSealed({ minute: this.#minute, identities, values, recorded: this.#recorded })
    }
    this.#begin()
  }

  #begin(): void {
    const { clock } = this.#deps
    const wallMs = clock.wallMs()
    this.#minute = Math.floor(wallMs / minuteMs)
    this.#endsAtMs = clock.nowMs() + minuteMs - (wallMs % minuteMs)
    this.#number++
  }

  /** Where the numbers of a (key, method) start. The key remembers, so that the next call finds it by one look-up. */
  #rowOf(key: CachedKey, method: string): number {
    if (key.usageBank !== this.#number) {
      key.usageBank = this.#number
      key.usageRows.clear()
    }
    const known = key.usageRows.get(method)
    if (known !== undefined) return known
    // A tenant with many keys and methods must not make the flush, and everybody's wait for it, as long as it likes.
    const isFull = this.#identities.length >= this.#deps.rowsMax
    if (isFull && method !== otherMethod) return this.#rowOf(key, otherMethod)
    const row = this.#identities.length * columnCount
    const { orgId, endpointId, chainId, keyId } = key.record
    this.#identities.push({ orgId, endpointId, chainId, keyId, method })
    if (row + columnCount > this.#values.length) this.#grow()
    key.usageRows.set(method, row)
    return row
  }

  #grow(): void {
    const values = new Float64Array(this.#values.length * 2)
    values.set(this.#values)
    this.#values = values
  }
}

function add(values: Float64Array, place: number, amount: number): void {
  values[place] = (values[place] ?? 0) + amount
}
