// The rows of the three usage tables that a set of sums becomes: each step of time (minute, hour, day) in each grain
// (see drizzle/schema/usage.ts), sorted by primary key. Sorted, because two writers that lock the same rows in different
// orders deadlock: 1,056 times in a test of unsorted ones, never with sorted ones.
import type { UsageIdentity } from './columns.ts'
import { addValues, type MinuteSums } from './sums.ts'

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
  values: Float64Array
  /** Whether the values are this grain's own, or those of the sums that it is the only part of. */
  isOwn: boolean
}

type Grains = Map<string, Grain>
/** What the rows of all tables are made of. */
export type GrainsByMinute = ReadonlyMap<number, Grains>

export function grainsByMinute(minutes: ReadonlyMap<number, MinuteSums>): GrainsByMinute {
  return new Map([...minutes].map(([minute, sums]) => [minute, sorted(grainsOf(sums))]))
}

/** So that to sort the rows of each table is to find them sorted, or to merge a few sorted runs. */
function sorted(grains: Grains): Grains {
  return new Map([...grains].sort(([, a], [, b]) => compare(partsOf(a), partsOf(b))))
}

const partsOf = ({ scopeId, keyId, chainId, method }: Grain) => [scopeId, keyId, chainId, method]

function compare(a: readonly string[], b: readonly string[]): number {
  for (let place = 0; place < a.length; place++) {
    const [part, other] = [a[place] ?? '', b[place] ?? '']
    if (part !== other) return part < other ? -1 : 1
  }
  return 0
}

/** A row before its values are laid out, which for all rows of a large flush at once would take hundreds of megabytes. */
export interface RowSource {
  readonly key: readonly string[]
  readonly values: Float64Array
}

export const rowOf = ({ key, values }: RowSource): TableRow => [...key, ...values]

/** Sorted by primary key. */
export function rowSourcesOf(table: TableName, byMinute: GrainsByMinute): RowSource[] {
  const stepMinutes = steps.find((step) => step.table === table)?.minutes ?? 1
  const byStart = new Map<number, Grains>()
  for (const [minute, grains] of byMinute) {
    const start = minute - (minute % stepMinutes)
    const known = byStart.get(start)
    // Nearly every flush lies within one minute: its sums are those of the hour and the day too.
    byStart.set(start, known === undefined ? grains : merged(known, grains))
  }
  const sources: RowSource[] = []
  for (const [start, grains] of byStart) {
    const startsAt = dateTimeOf(start)
    for (const { scopeId, keyId, chainId, method, values } of grains.values()) {
      sources.push({ key: [scopeId, keyId, startsAt, chainId, method], values })
    }
  }
  return sources.sort((a, b) => compare(a.key, b.key))
}

function grainsOf(sums: MinuteSums): Grains {
  const grains: Grains = new Map()
  for (const { identity, values } of sums.values()) {
    for (const place of placesOf(identity)) add(grains, { ...place, values, isOwn: false })
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
    grains.set(name, { ...grain, isOwn: false })
    return
  }
  if (!known.isOwn) {
    known.values = known.values.slice()
    known.isOwn = true
  }
  addValues(known.values, grain.values)
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
