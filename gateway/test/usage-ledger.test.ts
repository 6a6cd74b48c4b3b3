// Every call is in the tables exactly once, whatever happens to the database: answers to commits are lost, writers meet
// on the same rows, the database is away for a while or for good, files are damaged.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { newId } from '../../drizzle/ids.ts'
import { gatewayNodes, usageWriters } from '../../drizzle/schema/index.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startDatabaseProxy } from './support/database-proxy.ts'
import { until } from './support/gateway-process.ts'
import { totalOf, usageTables } from './support/usage.ts'
import {
  identityOf,
  type LedgerOptions,
  newSpoolFolder,
  openLedger,
  type TestLedger
} from './support/usage-ledger.ts'

const db = await createTestDatabase()
t.teardown(() => db.drop())

async function setUp(t: Test) {
  const proxy = await startDatabaseProxy(db.url)
  const spoolFolder = newSpoolFolder()
  const opened: TestLedger[] = []
  t.teardown(async () => {
    await Promise.all(opened.map(({ close }) => close()))
    await proxy.stop()
    rmSync(spoolFolder, { recursive: true, force: true })
  })
  const orgId = newId('org')
  const nodeId = `node-${orgId}`
  return {
    proxy,
    spoolFolder,
    orgId,
    nodeId,
    files: () => readdirSync(spoolFolder).sort(),
    open: (options: Partial<LedgerOptions> = {}) => {
      const one = openLedger({ databaseUrl: proxy.url, spoolFolder, nodeId, ...options })
      opened.push(one)
      return one
    },
    written: async () => (await totalOf(db.database, orgId, 'usage_days')).calls,
    writer: async (bootId: string) => {
      const rows = await db.database.orm
        .select()
        .from(usageWriters)
        .where(eq(usageWriters.bootId, bootId))
      return rows[0]
    }
  }
}

const isSettled = ({ ledger }: TestLedger) => ledger.recorded === ledger.flushed

t.test('a flush whose commit was not confirmed is written again, and counted once', async (t) => {
  const { proxy, open, orgId, written } = await setUp(t)
  const one = open()
  const { ledger } = one
  await ledger.start()
  for (let round = 1; round <= 15; round++) {
    if (round % 2 === 0) proxy.loseNextCommit()
    one.count([identityOf(1, orgId), identityOf(2, orgId)])
    await until(() => isSettled(one))
    t.equal(ledger.pending, 0)
  }
  await ledger.stop()
  for (const table of usageTables) {
    t.match(await totalOf(db.database, orgId, table), { calls: 30, ok: 30, cost: 60 }, table)
  }
  t.equal(await written(), 30)
})

t.test('writers that meet on the same rows lose nothing', async (t) => {
  const { open, orgId, written } = await setUp(t)
  const writers = [open(), open(), open()]
  const identities = Array.from({ length: 150 }, (_, number) => identityOf(number, orgId))
  await Promise.all(writers.map(({ ledger }) => ledger.start()))
  const rounds = 10
  await Promise.all(
    writers.map(async (one, place) => {
      for (let round = 0; round < rounds; round++) {
        // In an order of its own.
        one.count(place === 0 ? identities : identities.toReversed())
        await until(() => isSettled(one))
      }
    })
  )
  await Promise.all(writers.map(({ ledger }) => ledger.stop()))
  t.equal(await written(), writers.length * rounds * identities.length)
  t.comment(`retries because of locks: ${writers.map(({ ledger }) => ledger.lockRetries)}`)
})

t.test('what an outage keeps from the tables is on the disk, and comes back', async (t) => {
  const { proxy, open, orgId, written, files } = await setUp(t)
  const one = open()
  await one.ledger.start()
  one.count([identityOf(1, orgId)])
  await until(() => isSettled(one))
  await proxy.cut()
  for (let round = 1; round <= 3; round++) {
    one.count([identityOf(round, orgId)])
    await until(() => files().length >= round)
  }
  t.equal(one.ledger.pending, 3)
  t.equal(one.ledger.recorded - one.ledger.flushed - one.ledger.pending, 0)
  await proxy.restore()
  await until(() => isSettled(one))
  await until(() => files().length === 0)
  t.equal(one.ledger.pending, 0)
  await one.ledger.stop()
  t.equal(await written(), 4)
})

t.test('a gateway that ends while the database is away leaves its usage to the next', async (t) => {
  const { proxy, open, orgId, written, files, writer } = await setUp(t)
  const first = open()
  await first.ledger.start()
  first.count([identityOf(1, orgId)])
  await until(() => isSettled(first))
  // Committed without a confirmation, and then nothing more is heard of the database.
  proxy.loseNextCommit()
  first.count([identityOf(1, orgId)])
  await until(async () => (await written()) === 2)
  await proxy.cut()
  first.count([identityOf(1, orgId)])
  await first.ledger.stop()
  t.ok(files().length > 0)
  t.equal((await writer(first.bootId))?.endedAt, null)

  await proxy.restore()
  const second = open()
  await second.ledger.start()
  t.equal(second.ledger.lostSecondsMax, 0, 'it had ended in order')
  await until(() => files().length === 0)
  await until(async () => (await written()) === 3)
  await second.ledger.stop()
  t.equal(await written(), 3)
  t.ok((await writer(first.bootId))?.endedAt, 'its end is noted')
  t.ok((await writer(second.bootId))?.endedAt)
})

t.test('a gateway that never reached the database leaves its usage too', async (t) => {
  const { proxy, open, orgId, written, files } = await setUp(t)
  await proxy.cut()
  const first = open()
  await first.ledger.start()
  first.count([identityOf(1, orgId), identityOf(2, orgId)])
  await first.ledger.stop()
  t.ok(files().length > 0)
  await proxy.restore()
  const second = open()
  await second.ledger.start()
  await until(() => files().length === 0)
  await second.ledger.stop()
  t.equal(await written(), 2)
})

t.test('a damaged file is left for a person, and the others are written', async (t) => {
  const { proxy, open, orgId, written, files, spoolFolder } = await setUp(t)
  const first = open()
  await proxy.cut()
  await first.ledger.start()
  for (let round = 1; round <= 2; round++) {
    first.count([identityOf(round, orgId)])
    await until(() => files().length >= round)
  }
  await first.ledger.stop()
  const [damaged = ''] = files()
  const path = join(spoolFolder, damaged)
  writeFileSync(path, readFileSync(path, 'utf8').replace('"calls":1', '"calls":7'))
  writeFileSync(join(spoolFolder, 'notes.txt'), 'not ours')
  await proxy.restore()
  const second = open()
  await second.ledger.start()
  await until(() => second.ledger.spooled.size === 0)
  await second.ledger.stop()
  t.equal(second.ledger.spooled.damaged, 1)
  t.same(files(), ['notes.txt', `${damaged}.damaged`].sort())
  t.equal(await written(), 1)
})

t.test('when not even the disk takes it, it stays in memory', async (t) => {
  const { proxy, open, orgId, written, spoolFolder } = await setUp(t)
  const one = open()
  await one.ledger.start()
  await proxy.cut()
  rmSync(spoolFolder, { recursive: true })
  writeFileSync(spoolFolder, 'a file, where a folder should be')
  for (let round = 1; round <= 5; round++) one.count([identityOf(round, orgId)])
  await until(() => one.ledger.lagSeconds > 0.2)
  t.equal(one.ledger.pending, 5)
  await proxy.restore()
  await until(() => isSettled(one))
  await one.ledger.stop()
  t.equal(await written(), 5)
})

t.test('an earlier run that was killed is told of, once', async (t) => {
  const { open, writer } = await setUp(t)
  const killed = open({ bootId: 'boot_00000000000000000000000000' })
  await killed.ledger.start()
  await until(async () => (await writer(killed.bootId)) !== undefined)
  await killed.kill()
  const second = open()
  await second.ledger.start()
  t.ok(second.ledger.lostSecondsMax > 0)
  t.ok((await writer(killed.bootId))?.endedAt)
  await second.ledger.stop()
  const third = open()
  await third.ledger.start()
  t.equal(third.ledger.lostSecondsMax, 0)
  await third.ledger.stop()
})

t.test('a file that cannot be read now is neither lost nor passed over', async (t) => {
  const { proxy, open, orgId, written, files, spoolFolder } = await setUp(t)
  const first = open()
  await proxy.cut()
  await first.ledger.start()
  for (let round = 1; round <= 3; round++) {
    first.count([identityOf(round, orgId)])
    await until(() => files().length >= round)
  }
  await first.ledger.stop()
  const [oldest = ''] = files()
  const path = join(spoolFolder, oldest)
  const text = readFileSync(path)
  rmSync(path)
  // Reading it fails as a bad disk does.
  mkdirSync(path)
  await proxy.restore()
  const second = open()
  await second.ledger.start()
  second.count([identityOf(9, orgId)])
  await until(() => files().some((name) => name.includes(second.bootId)))
  t.equal(await written(), 0, 'what is younger waits')
  rmSync(path, { recursive: true })
  writeFileSync(path, text)
  await until(() => files().length === 0)
  await second.ledger.stop()
  t.equal(await written(), 4)
})

t.test(
  'a flush that goes on while the gateway ends does not pass over what was spooled',
  async (t) => {
    const { proxy, open, orgId, written, files } = await setUp(t)
    const first = open({ statementTimeoutMs: 20_000 })
    await first.ledger.start()
    await until(() => first.ledger.lagSeconds < 0.1)
    proxy.freeze()
    first.count([identityOf(1, orgId)])
    await until(() => first.ledger.lagSeconds > 0.5)
    first.count([identityOf(2, orgId), identityOf(3, orgId)])
    // Gives up on the database after a few seconds.
    await first.ledger.stop()
    t.ok(files().length > 0)
    proxy.thaw()
    await until(async () => (await written()) > 0)
    const second = open()
    await second.ledger.start()
    await until(() => files().length === 0)
    await second.ledger.stop()
    t.equal(await written(), 3)
  }
)

t.test("gateways that share a data folder leave each other's usage alone", async (t) => {
  const { proxy, open, orgId, nodeId, written, files, writer, spoolFolder } = await setUp(t)
  const first = open({ nodeId: `${nodeId}-1` })
  await first.ledger.start()
  await db.database.orm.insert(gatewayNodes).values({
    nodeId: `${nodeId}-1`,
    bootId: first.bootId,
    bootedAt: new Date(),
    seenAt: new Date(),
    appliedChangeId: 0
  })
  await proxy.cut()
  first.count([identityOf(1, orgId)])
  await until(() => files().length > 0)
  const second = openLedger({ databaseUrl: db.url, spoolFolder, nodeId: `${nodeId}-2` })
  await second.ledger.start()
  await until(() => second.ledger.spooled.size === 0)
  await second.ledger.stop()
  await second.close()
  t.equal(await written(), 0)
  t.equal(second.ledger.lostSecondsMax, 0)
  await proxy.restore()
  await until(() => isSettled(first))
  await first.ledger.stop()
  t.equal(await written(), 1)
  t.equal((await writer(first.bootId))?.nodeId, `${nodeId}-1`)
})

t.test('the disk is not filled beyond its limit; what exceeds it waits in memory', async (t) => {
  const { proxy, open, orgId, written, files } = await setUp(t)
  const one = open({ spoolBytesMax: 1000 })
  await one.ledger.start()
  await proxy.cut()
  const rounds = 6
  for (let round = 1; round <= rounds; round++) {
    one.count(Array.from({ length: 20 }, (_, number) => identityOf(number, orgId)))
    await until(() => one.ledger.lagSeconds * 1000 > round * 100)
  }
  t.ok(files().length < rounds, `${files().length} files`)
  t.equal(one.ledger.pending, rounds * 20)
  await proxy.restore()
  await until(() => isSettled(one))
  await one.ledger.stop()
  t.equal(await written(), rounds * 20)
})

t.test(
  'a gateway that was killed during an outage is told of once, and its usage written',
  async (t) => {
    const { proxy, open, orgId, written, files, writer } = await setUp(t)
    const killed = open()
    await killed.ledger.start()
    await until(async () => ((await writer(killed.bootId))?.seq ?? 0) > 0)
    await proxy.cut()
    killed.count([identityOf(1, orgId)])
    await until(() => files().length > 0)
    await killed.kill()
    await proxy.restore()
    const second = open()
    await second.ledger.start()
    t.ok(second.ledger.lostSecondsMax > 0)
    await until(() => files().length === 0)
    await second.ledger.stop()
    t.equal(await written(), 1)
    t.ok((await writer(killed.bootId))?.endedAt)
    const third = open()
    await third.ledger.start()
    t.equal(third.ledger.lostSecondsMax, 0)
    await third.ledger.stop()
  }
)
