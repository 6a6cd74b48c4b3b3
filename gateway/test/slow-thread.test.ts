// What a change does when one thread is slow, and what a look-up at midnight counts.
import { eq } from 'drizzle-orm'
import t from 'tap'
import { changeApplications, quotaUsage } from '../../drizzle/schema/index.ts'
import { createSecretBox } from '../../drizzle/secret-box.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { ChangeFeed } from '../keys/change-feed.ts'
import { KeyDirectory, type LookupAnswer } from '../keys/key-directory.ts'
import { MetricsKeys } from '../keys/metrics-keys.ts'
import { readUsed, useQuota } from '../limits/quota.ts'
import { QuotaLedger } from '../limits/quota-ledger.ts'
import { createLog } from '../telemetry/log.ts'
import { testSecretKey, until } from './support/gateway-process.ts'
import { Limiter, TestClock } from './support/limiter.ts'
import { createTenant } from './support/tenant.ts'

const log = createLog('silent')
const db = await createTestDatabase()
t.teardown(() => db.drop())

t.test('a slow thread delays the proof of a change, and no change that comes after', async (t) => {
  const tenant = await createTenant(db.database)
  const told: number[] = []
  const slow = Promise.withResolvers<void>()
  const heard: number[] = []
  let readings = 0
  const feed = new ChangeFeed({
    database: db.database,
    secretBox: createSecretBox([testSecretKey]),
    log,
    nodeId: 'slow',
    bootId: 'boot_1',
    pollMs: 10,
    onChains: () => undefined,
    onChanges: (_changes, round) => told.push(round),
    // The start is applied at once; later rounds when the test says so.
    applied: (round) => (round === 1 ? Promise.resolve() : slow.promise),
    onReading: () => {
      readings++
      return readings
    },
    onHeard: (reading) => heard.push(reading)
  })
  feed.start()
  t.teardown(() => feed.stop())
  await until(() => heard.length > 0)
  const first = await tenant.updateKey({ revokedAt: new Date() })
  await until(() => told.length === 2)
  const heardBefore = heard.length
  const second = await tenant.updateKey({ revokedAt: new Date() })
  await until(() => told.length === 3)
  const applications = async (id: number) => {
    const { orm } = db.database
    const rows = await orm
      .select()
      .from(changeApplications)
      .where(eq(changeApplications.changeId, id))
    return rows.length
  }
  t.same([await applications(first), await applications(second)], [0, 0], 'told, and not proved')
  t.equal(heard.length, heardBefore, 'nothing is proved to whoever waits for all threads')
  slow.resolve()
  await until(async () => (await applications(first)) + (await applications(second)) === 2)
  await until(() => heard.length > heardBefore)
})

t.test('a look-up that spans midnight counts what it read for the day that it read', async (t) => {
  const tenant = await createTenant(db.database, { endpoint: { dailyQuota: 100 } })
  const clock = new TestClock()
  clock.wall = Date.parse('2026-11-23T23:59:59.900Z')
  await db.database.orm.insert(quotaUsage).values({
    scopeId: tenant.endpointId,
    day: '2026-11-23',
    bootId: 'boot_before',
    used: 100
  })
  const limiter = new Limiter(clock)
  const ledger = new QuotaLedger({ database: db.database, clock, log, words: limiter.words })
  const directory = new KeyDirectory({
    database: db.database,
    clock,
    log,
    limits: limiter.limits,
    loadUsed: async (scopeIds, day) => {
      const used = await ledger.loadUsed(scopeIds, day)
      clock.pass(1000)
      return used
    },
    lookupsMax: 1,
    queueMax: 1,
    unknownPerSecondMax: 100,
    metricsKeys: new MetricsKeys({
      clock,
      keysMax: 1,
      graceMs: 1,
      releaseSeries: async () => undefined
    }),
    bringChain: async () => undefined,
    onLookup: () => undefined
  })
  const answer = await new Promise<LookupAnswer>((resolve) =>
    directory.lookUp(tenant.secret, resolve)
  )
  if (answer === null || answer === 'unavailable') throw new Error('the key was not found')
  const { quotaWord } = answer.endpointLimits
  t.same(readUsed(limiter.words, quotaWord), { day: 20_780, used: 100 }, 'of yesterday')
  t.equal(useQuota(limiter.words, quotaWord, 100n, 100n, 20_781), 20_781, 'the new day is whole')
})
