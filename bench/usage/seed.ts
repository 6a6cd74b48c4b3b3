// A filled database to ask questions of: orgs with endpoints and keys, and their usage as 90 days of traffic would have
// left it. What a key was called for in a minute is its share times the load of that minute, in whole numbers, so the three
// tables and the three kinds of rows in them agree to the call. The rows are multiplied inside the server, from one row for
// each share and one for each step of time, which is about twenty times faster than sending them.

import { randomBytes } from 'node:crypto'
import { getTableColumns } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
import { newId } from '../../drizzle/ids.ts'
import { orgs } from '../../drizzle/schema/accounts.ts'
import { chains } from '../../drizzle/schema/chains.ts'
import { apiKeys, endpoints } from '../../drizzle/schema/endpoints.ts'
import { callErrors, latencyBoundsMs, quotaUsage, usageDays } from '../../drizzle/schema/usage.ts'

export interface UsageShape {
  orgs: number
  endpointsPerOrg: number
  keysPerEndpoint: number
  methods: readonly string[]
}

/** How far back each table is filled. The detail is the bulk: it may be thinner than the totals. */
export interface UsageDepth {
  days: number
  hours: number
  minutes: number
  /** So many hours and minutes of detail for every key … */
  detailHours: number
  detailMinutes: number
  /** … and all of them for the keys of these endpoints: places from 0, that of the org and that of the endpoint in it. */
  isFull(org: number, endpoint: number): boolean
}

export interface SeededOrg {
  id: string
  endpoints: { id: string; chainId: string; keyIds: string[] }[]
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const rowsPerInsert = 500
const errorsPerEndpoint = 200

/** A few keys, every 200th, have most of the calls: the top of a large org is there. `say` is told what is being filled. */
export async function seedUsage(
  database: Database,
  shape: UsageShape,
  depth: UsageDepth,
  now: Date,
  say: (line: string) => void = () => undefined
): Promise<SeededOrg[]> {
  const chainId = await seedChain(database, now)
  const seeded: SeededOrg[] = []
  for (let place = 0; place < shape.orgs; place++) {
    seeded.push(await seedOrg(database, shape, chainId, now))
  }
  await seedShares(database, seeded, shape.methods)
  await seedLoads(database, depth, now)
  const every = seeded.flatMap((org) => org.endpoints)
  const full = seeded.flatMap((org, orgPlace) =>
    org.endpoints.filter((_, place) => depth.isFull(orgPlace, place))
  )
  const thin = every.filter((endpoint) => !full.includes(endpoint))
  const orgIds = seeded.map((org) => org.id)
  const fill = async (grain: Grain, scopeIds: string[], keys: 'totals' | 'detail', from: Date) => {
    say(`usage_${grain}s: ${keys} of ${scopeIds.length} scopes since ${from.toISOString()}`)
    await multiply(database, grain, scopeIds, keys, from)
  }
  const back = (ms: number) => new Date(now.getTime() - ms)
  const idsOf = (list: typeof every) => list.map((endpoint) => endpoint.id)
  for (const [grain, depthMs, detailMs] of [
    ['day', depth.days * dayMs, depth.days * dayMs],
    ['hour', depth.hours * hourMs, depth.detailHours * hourMs],
    ['minute', depth.minutes * minuteMs, depth.detailMinutes * minuteMs]
  ] as const) {
    await fill(grain, [...orgIds, ...idsOf(every)], 'totals', back(depthMs))
    await fill(grain, idsOf(full), 'detail', back(depthMs))
    await fill(grain, idsOf(thin), 'detail', back(detailMs))
  }
  for (const org of seeded) await seedState(database, org, now)
  await database.pool.query('DROP TABLE bench_shares')
  await database.pool.query('DROP TABLE bench_loads')
  return seeded
}

async function seedChain({ orm }: Database, now: Date): Promise<string> {
  const id = newId('chn')
  await orm.insert(chains).values({
    id,
    name: `seeded-${id.slice(-6)}`,
    kind: 'evm',
    methodWeights: {},
    createdAt: now,
    updatedAt: now
  })
  return id
}

async function seedOrg(
  { orm }: Database,
  shape: UsageShape,
  chainId: string,
  now: Date
): Promise<SeededOrg> {
  const stamps = { createdAt: now, updatedAt: now }
  const org: SeededOrg = { id: newId('org'), endpoints: [] }
  await orm
    .insert(orgs)
    .values({ id: org.id, name: 'seeded', dailyQuota: 1_000_000_000, ...stamps })
  for (let place = 0; place < shape.endpointsPerOrg; place++) {
    const keyIds = Array.from({ length: shape.keysPerEndpoint }, () => newId('key'))
    org.endpoints.push({ id: newId('ep'), chainId, keyIds })
  }
  for (const chunk of chunks(org.endpoints, rowsPerInsert)) {
    await orm.insert(endpoints).values(
      chunk.map(({ id }, place) => ({
        id,
        orgId: org.id,
        chainId,
        name: `endpoint ${place}`,
        status: 'active' as const,
        ...stamps
      }))
    )
  }
  const keys = org.endpoints.flatMap(({ id, keyIds }) =>
    keyIds.map((keyId) => ({
      id: keyId,
      endpointId: id,
      hash: randomBytes(32),
      prefix: 'slc_seed',
      last4: 'seed',
      createdAt: now
    }))
  )
  for (const chunk of chunks(keys, rowsPerInsert)) await orm.insert(apiKeys).values(chunk)
  return org
}

/** What is told beside the sums: the consumption of the day, by two gateways, and 200 failed calls of each endpoint. */
async function seedState({ orm }: Database, org: SeededOrg, now: Date): Promise<void> {
  const day = now.toISOString().slice(0, 10)
  const bootIds = [newId('boot'), newId('boot')]
  const scopeIds = [org.id, ...org.endpoints.map(({ id }) => id)]
  const consumed = scopeIds.flatMap((scopeId) =>
    bootIds.map((bootId) => ({ scopeId, day, bootId, used: 1_000_000 }))
  )
  for (const chunk of chunks(consumed, rowsPerInsert)) await orm.insert(quotaUsage).values(chunk)
  for (const endpoint of org.endpoints) {
    const rows = Array.from({ length: errorsPerEndpoint }, (_, place) => {
      const occurredAt = new Date(now.getTime() - place * minuteMs)
      return {
        id: newId('err', occurredAt.getTime()),
        orgId: org.id,
        endpointId: endpoint.id,
        keyId: endpoint.keyIds[0] ?? '',
        occurredAt,
        method: 'eth_call',
        code: -32_603,
        reason: 'upstream_timeout',
        status: 504,
        durationMs: 10_000,
        upstreamId: null,
        requestId: `seeded-${place}`,
        params: '[{"to":"0x0000000000000000000000000000000000000000"},"latest"]'
      }
    })
    await orm.insert(callErrors).values(rows)
  }
}

type Share = Record<string, string | number>

/** The shares of every row of usage: of each key and method, and what they add up to. */
async function seedShares(
  database: Database,
  seeded: readonly SeededOrg[],
  methods: readonly string[]
): Promise<void> {
  await database.pool.query('CREATE TABLE bench_shares LIKE usage_days')
  const columns = Object.entries(getTableColumns(usageDays)).map(([name, { name: sql }]) => ({
    name,
    sql
  }))
  let rows: Share[] = []
  const flush = async () => {
    if (rows.length === 0) return
    await database.pool.query(
      `INSERT INTO bench_shares (${columns.map((column) => column.sql).join(', ')}) VALUES ?`,
      [rows.map((row) => columns.map(({ name }) => row[name]))]
    )
    rows = []
  }
  let rank = 0
  for (const org of seeded) {
    const byMethod = new Map<string, Share>()
    for (const endpoint of org.endpoints) {
      const whole = emptyShare(endpoint.id, endpoint.chainId, '', '')
      for (const keyId of endpoint.keyIds) {
        rank += 1
        methods.forEach((method, place) => {
          const share = shareOf(endpoint.id, endpoint.chainId, keyId, method, rank, place)
          const total = byMethod.get(method) ?? emptyShare(org.id, endpoint.chainId, '', method)
          byMethod.set(method, total)
          addShare(whole, share)
          addShare(total, share)
          rows.push(share)
        })
      }
      rows.push(whole)
      if (rows.length >= rowsPerInsert) await flush()
    }
    rows.push(...byMethod.values())
    await flush()
  }
}

const countNames = ['ok', 'clientError', 'rateLimited', 'upstreamError', 'rpcErrors'] as const
const sumNames = [
  ...countNames,
  'cost',
  'bytesIn',
  'bytesOut',
  ...Array.from({ length: latencyBoundsMs.length + 1 }, (_, place) => `latency${place}`)
]

function emptyShare(scopeId: string, chainId: string, keyId: string, method: string): Share {
  const sums = Object.fromEntries(sumNames.map((name) => [name, 0]))
  return { scopeId, startsAt: '2000-01-01', chainId, keyId, method, ...sums }
}

/** A few keys make most of the calls; a later method is called less often and takes longer. */
function shareOf(
  scopeId: string,
  chainId: string,
  keyId: string,
  method: string,
  rank: number,
  place: number
): Share {
  const weight = 1 + Math.floor(20 / (1 + (rank % 200))) + (rank % 3)
  const calls = weight * 10
  const share = emptyShare(scopeId, chainId, keyId, method)
  const middle = 6 + place * 2
  share[`latency${middle}`] = weight * 5
  share[`latency${middle + 1}`] = weight * 3
  share[`latency${middle + 4}`] = weight * 2
  share.rateLimited = rank % 10 === 0 ? weight : 0
  share.upstreamError = place === 5 ? weight : 0
  share.ok = calls - share.rateLimited - share.upstreamError
  share.rpcErrors = weight
  share.cost = calls * (1 + place * 5)
  share.bytesIn = calls * 120
  share.bytesOut = calls * 900
  return share
}

function addShare(whole: Share, part: Share): void {
  for (const name of sumNames) whole[name] = Number(whole[name]) + Number(part[name])
}

type Grain = 'day' | 'hour' | 'minute'

/** The load of each step of time: that of its minutes. Nights and weekends are quieter; the running steps are not over. */
async function seedLoads(database: Database, depth: UsageDepth, now: Date): Promise<void> {
  await database.pool.query(
    `CREATE TABLE bench_loads (grain varchar(6) NOT NULL, starts_at datetime NOT NULL, amount int NOT NULL,
     PRIMARY KEY (grain, starts_at))`
  )
  const loads = { day: new Map<number, number>(), hour: new Map<number, number>() }
  const minutes: [string, Date, number][] = []
  const first = Math.floor(now.getTime() / dayMs - depth.days) * dayMs
  const minutesFrom = now.getTime() - depth.minutes * minuteMs
  for (let at = first; at <= now.getTime(); at += minuteMs) {
    const amount = loadOf(at)
    add(loads.day, Math.floor(at / dayMs) * dayMs, amount)
    add(loads.hour, Math.floor(at / hourMs) * hourMs, amount)
    if (at >= minutesFrom) minutes.push(['minute', new Date(at), amount])
  }
  const rows = [
    ...[...loads.day].map(([at, amount]) => ['day', new Date(at), amount]),
    ...[...loads.hour].map(([at, amount]) => ['hour', new Date(at), amount]),
    ...minutes
  ]
  for (const chunk of chunks(rows, 2000)) {
    await database.pool.query('INSERT INTO bench_loads VALUES ?', [chunk])
  }
}

function loadOf(at: number): number {
  const hour = (at / hourMs) % 24
  const day = Math.floor(at / dayMs + 4) % 7
  const byDay = day === 0 || day === 6 ? 3 : 6
  return Math.round(byDay * (1 + 0.8 * Math.sin((2 * Math.PI * (hour - 8)) / 24)))
}

function add(map: Map<number, number>, key: number, amount: number): void {
  map.set(key, (map.get(key) ?? 0) + amount)
}

/** Scopes in the order of the primary key, a few in each statement, so that a page is written once. */
async function multiply(
  { pool }: Database,
  grain: Grain,
  scopeIds: readonly string[],
  keys: 'totals' | 'detail',
  from: Date
): Promise<void> {
  const columns = Object.values(getTableColumns(usageDays)).map(({ name }) => name)
  const sums = sumNames.map((name) => getTableColumns(usageDays)[name as 'ok'].name)
  const values = columns.map((name) => {
    if (name === 'starts_at') return 'l.starts_at'
    return sums.includes(name) ? `s.${name} * l.amount` : `s.${name}`
  })
  for (const chunk of chunks(scopeIds.toSorted(), keys === 'totals' ? 20 : 4)) {
    await pool.query(
      `INSERT INTO usage_${grain}s (${columns.join(', ')})
       SELECT ${values.join(', ')} FROM bench_shares s JOIN bench_loads l
       WHERE s.scope_id IN (?) AND s.key_id ${keys === 'totals' ? '=' : '<>'} '' AND l.grain = ? AND l.starts_at >= ?
       ORDER BY s.scope_id, s.key_id, l.starts_at, s.method`,
      [chunk, grain, from]
    )
  }
}

function* chunks<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size)
}
