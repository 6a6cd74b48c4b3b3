// Sums by minute and identity, on the main thread: what the threads have handed over and is in no flush yet. Bounded by
// keys × methods × minutes. The minutes are few while flushes are written, or at least spooled; when neither is possible,
// detail of time is given up before any call is.
import { columnCount, outcomeColumn, type SealedBank, type UsageIdentity } from './columns.ts'

export interface UsageRow {
  readonly identity: UsageIdentity
  readonly values: Float64Array
}

/** The sums of one minute, by identity. */
export type MinuteSums = Map<string, UsageRow>

/** Minutes that are kept apart; then hours, then days. */
const minutesApart = 60
const hoursApart = 72

export class UsageSums {
  /** By minutes since 1970, UTC. */
  readonly minutes = new Map<number, MinuteSums>()

  /** Calls in all of it, counted from the sums themselves. */
  get calls(): number {
    let calls = 0
    for (const sums of this.minutes.values()) {
      for (const { values } of sums.values()) calls += callsIn(values)
    }
    return calls
  }

  add({ minute, identities, values }: SealedBank): void {
    const sums = this.#at(minute)
    // The rows of a minute's first bank are views of it: copies would take twice the memory. Those of later banks are
    // copies, because most of their rows are there already, and one that is new would keep the whole bank.
    const isFirst = sums.size === 0
    for (const [row, identity] of identities.entries()) {
      const part = values.subarray(row * columnCount, (row + 1) * columnCount)
      addTo(sums, nameOf(identity), identity, isFirst ? part : part.slice())
    }
    if (this.minutes.size > minutesApart) this.#coarsen(60)
    if (this.minutes.size > minutesApart + hoursApart) this.#coarsen(1440)
  }

  /** Books all but the latest minutes at the start of their hour or day. */
  #coarsen(stepMinutes: number): void {
    const known = [...this.minutes.keys()].sort((a, b) => b - a)
    for (const minute of known.slice(minutesApart / 2)) {
      const start = minute - (minute % stepMinutes)
      const sums = this.minutes.get(minute)
      if (start === minute || sums === undefined) continue
      this.minutes.delete(minute)
      const whole = this.#at(start)
      // Copied: a view would keep all rows of its bank.
      for (const [name, { identity, values }] of sums) {
        addTo(whole, name, identity, values.slice())
      }
    }
  }

  #at(minute: number): MinuteSums {
    const known = this.minutes.get(minute)
    if (known !== undefined) return known
    const sums: MinuteSums = new Map()
    this.minutes.set(minute, sums)
    return sums
  }
}

/** Adds to the row of that name; when there is none, the values become one. */
function addTo(
  sums: Map<string, UsageRow>,
  name: string,
  identity: UsageIdentity,
  values: Float64Array
): void {
  const known = sums.get(name)
  if (known === undefined) sums.set(name, { identity, values })
  else addValues(known.values, values)
}

export function addValues(to: Float64Array, values: Float64Array): void {
  for (let column = 0; column < columnCount; column++) {
    to[column] = (to[column] ?? 0) + (values[column] ?? 0)
  }
}

/** Every call has exactly one outcome. */
function callsIn(values: Float64Array): number {
  return Object.values(outcomeColumn).reduce((sum, column) => sum + (values[column] ?? 0), 0)
}

function nameOf({ endpointId, chainId, keyId, method }: UsageIdentity): string {
  return `${endpointId} ${chainId} ${keyId} ${method}`
}
