// What a thread adds up, and what the main thread makes of it: every call in the minute in which it was counted,
// whatever the clocks do, and in bounded memory, whatever the database does.
import t from 'tap'
import type { Clock } from '../clock.ts'
import { CachedKey } from '../keys/cached-key.ts'
import type { KeyRecord } from '../keys/key-record.ts'
import { noWord } from '../limits/limit-words.ts'
import { UsageBank, type UsageEntry } from '../telemetry/usage/bank.ts'
import { columnCount, type SealedBank } from '../telemetry/usage/columns.ts'
import {
  grainsByMinute,
  rowOf,
  rowSourcesOf,
  type TableName,
  tableNames
} from '../telemetry/usage/rows.ts'
import { UsageSums } from '../telemetry/usage/sums.ts'
import { identityOf } from './support/usage-ledger.ts'

function keyOf(number: number): CachedKey {
  const { orgId, endpointId, chainId, keyId } = identityOf(number, 'org_1')
  const limits = {
    scopeId: orgId,
    bucket: noWord,
    quotaWord: noWord,
    requestsPerSecond: null,
    burst: null,
    dailyQuota: null
  }
  const record: KeyRecord = {
    keyId,
    endpointId,
    orgId,
    orgName: 'Acme',
    chainId,
    refusal: null,
    expiresAtMs: 0,
    endpointLimits: limits,
    orgLimits: limits,
    allowedMethods: null,
    allowedOrigins: null,
    allowedIps: null,
    metricsKey: keyId
  }
  return new CachedKey(record)
}

const entry: UsageEntry = {
  method: 'eth_call',
  outcome: 'ok',
  isRpcError: false,
  cost: 3,
  bytesIn: 64,
  bytesOut: 45,
  latencyMs: 1.2
}

function setUp(rowsMax = 20_000) {
  const time = { wallMs: Date.UTC(2026, 0, 1, 12, 0, 30), nowMs: 5000 }
  const clock: Clock = {
    nowMs: () => time.nowMs,
    nowNs: () => BigInt(Math.round(time.nowMs * 1e6)),
    wallMs: () => time.wallMs
  }
  const sealed: SealedBank[] = []
  const bank = new UsageBank({ clock, rowsMax, onSealed: (one) => sealed.push(one) })
  const record = (key: CachedKey, part: Partial<UsageEntry> = {}) =>
    bank.record(key, { ...entry, ...part }, time.nowMs)
  const pass = (ms: number) => {
    time.nowMs += ms
    time.wallMs += ms
  }
  return { time, bank, sealed, record, pass }
}

const minuteOf = (text: string) => Date.parse(text) / 60_000

t.test('calls of one minute and the next are sealed apart', async (t) => {
  const { bank, sealed, record, pass } = setUp()
  const key = keyOf(1)
  record(key)
  pass(29_999)
  record(key)
  pass(2)
  record(key)
  bank.seal()
  t.same(
    sealed.map(({ minute, values, recorded }) => [minute, values[0], recorded]),
    [
      [minuteOf('2026-01-01T12:00:00Z'), 2, 2],
      [minuteOf('2026-01-01T12:01:00Z'), 1, 3]
    ]
  )
  bank.seal()
  t.equal(sealed.length, 2, 'nothing is sealed of nothing')
})

t.test('a wall clock that jumps neither loses nor invents calls', async (t) => {
  const { time, bank, sealed, record, pass } = setUp()
  const key = keyOf(1)
  const jumps = [3_600_000, -7_200_000, 86_400_000, -1, 59_999]
  for (const jump of jumps) {
    record(key)
    time.wallMs += jump
    record(key)
    pass(20_000)
  }
  bank.seal()
  const calls = sealed.reduce((sum, { values }) => sum + (values[0] ?? 0), 0)
  t.equal(calls, 2 * jumps.length)
  const sums = new UsageSums()
  for (const one of sealed) sums.add(one)
  t.equal(sums.calls, 2 * jumps.length)
})

t.test('many keys and methods have rows of their own, and each bank starts anew', async (t) => {
  const { bank, sealed, record } = setUp()
  const keys = Array.from({ length: 300 }, (_, number) => keyOf(number))
  const methods = ['eth_call', 'eth_getLogs', '_other']
  for (let round = 0; round < 2; round++) {
    for (const key of keys) {
      for (const method of methods) {
        record(key, { method })
        record(key, { method, outcome: 'rate_limited', cost: 0, isRpcError: true })
      }
    }
    bank.seal()
  }
  t.equal(sealed.length, 2)
  for (const { identities, values } of sealed) {
    t.equal(identities.length, 900)
    t.equal(values.length, 900 * columnCount)
    t.same([...values.subarray(0, 8)], [1, 0, 1, 0, 1, 3, 128, 90])
    t.same(
      [...values.subarray(899 * columnCount, 899 * columnCount + 8)],
      [1, 0, 1, 0, 1, 3, 128, 90]
    )
  }
})

t.test('sums become rows of three tables in three grains, sorted by primary key', async (t) => {
  const sums = new UsageSums()
  const values = () => new Float64Array(2 * columnCount).fill(1)
  const identities = [identityOf(2, 'org_1'), { ...identityOf(1, 'org_1'), method: 'n' }]
  const minutes = ['12:59', '13:00'].map((time) => minuteOf(`2026-01-01T${time}:00Z`))
  for (const minute of minutes) sums.add({ minute, identities, values: values(), recorded: 0 })
  const grains = grainsByMinute(sums.minutes)
  const rowsOf = (table: TableName) => rowSourcesOf(table, grains).map(rowOf)
  const keysOf = (table: TableName) => rowsOf(table).map((row) => row.slice(0, 5).join(' '))
  t.same(keysOf('usage_days'), [
    'ep_000001  2026-01-01 00:00:00 chn_1 ',
    'ep_000001 key_000001 2026-01-01 00:00:00 chn_1 n',
    'ep_000002  2026-01-01 00:00:00 chn_1 ',
    'ep_000002 key_000002 2026-01-01 00:00:00 chn_1 m',
    'org_1  2026-01-01 00:00:00 chn_1 m',
    'org_1  2026-01-01 00:00:00 chn_1 n'
  ])
  t.same(
    keysOf('usage_hours').filter((key) => key.startsWith('org_1')),
    [
      'org_1  2026-01-01 12:00:00 chn_1 m',
      'org_1  2026-01-01 12:00:00 chn_1 n',
      'org_1  2026-01-01 13:00:00 chn_1 m',
      'org_1  2026-01-01 13:00:00 chn_1 n'
    ]
  )
  const callsIn = (table: TableName) => rowsOf(table).reduce((sum, row) => sum + Number(row[5]), 0)
  for (const table of tableNames) {
    t.equal(callsIn(table), 4 * 3, `${table}: four calls in three grains`)
  }
})

t.test('what cannot be written takes memory by keys and methods, not by time', async (t) => {
  const sums = new UsageSums()
  const identities = [identityOf(1, 'org_1')]
  const days = 20
  const first = minuteOf('2026-01-01T00:00:00Z')
  for (let minute = first; minute < first + days * 1440; minute++) {
    const values = new Float64Array(columnCount)
    values[0] = 1
    sums.add({ minute, identities, values, recorded: 0 })
  }
  t.equal(sums.calls, days * 1440, 'no call is given up')
  t.ok(sums.minutes.size < 200, `${sums.minutes.size} steps of time for ${days} days`)
  t.equal(Math.max(...sums.minutes.keys()), first + days * 1440 - 1, 'the latest are exact')
})

t.test(
  'with more keys and methods than there is room for, methods are told apart no more',
  async (t) => {
    const { bank, sealed, record } = setUp(10)
    const keys = Array.from({ length: 20 }, (_, number) => keyOf(number))
    for (const key of keys) {
      for (let number = 0; number < 60; number++) record(key, { method: `method_${number}` })
    }
    bank.seal()
    const [one] = sealed
    t.equal(one?.recorded, 20 * 60)
    const rows = one?.identities ?? []
    t.equal(rows.length, 10 + 20, 'ten rows, and one for each key')
    const calls = rows.reduce(
      (sum, _row, place) => sum + (one?.values[place * columnCount] ?? 0),
      0
    )
    t.equal(calls, 20 * 60, 'no call is given up')
  }
)
