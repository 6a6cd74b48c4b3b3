// Chains are told to the threads in the order in which they were read, however long each reading takes.
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { Database } from '../../drizzle/client.ts'
import { chains } from '../../drizzle/schema/index.ts'
import { createSecretBox } from '../../drizzle/secret-box.ts'
import { ChangeFeed } from '../keys/change-feed.ts'
import { createLog } from '../telemetry/log.ts'
import { testSecretKey } from './support/gateway-process.ts'

/** A feed over a database that has one chain more at each reading, and answers when the test says so. */
function setUp(ids: readonly string[]) {
  const readings: (() => void)[] = []
  const told: string[][] = []
  let asked = 0
  const from = (table: unknown) => {
    if (table !== chains) return { orderBy: async () => [] }
    asked++
    const rows = ids.slice(0, asked).map((id) => ({ id, name: id, kind: 'evm', methodWeights: {} }))
    return new Promise((resolve) => readings.push(() => resolve(rows)))
  }
  const feed = new ChangeFeed({
    database: { orm: { select: () => ({ from }) } } as unknown as Database,
    secretBox: createSecretBox([testSecretKey]),
    log: createLog('silent'),
    nodeId: 'node',
    bootId: 'boot_1',
    pollMs: 1000,
    onChains: (records) => told.push(records.map(({ id }) => id)),
    onChanges: () => undefined,
    applied: async () => undefined,
    onReading: () => 1,
    onHeard: () => undefined
  })
  return { feed, readings, told }
}

t.test('a slow reading is not told after a later one', async (t) => {
  const { feed, readings, told } = setUp(['old', 'new'])
  const brought = Promise.all([feed.bringChain('old'), feed.bringChain('new')])
  while (told.length < 2) {
    await nextTurn()
    // Of several readings under way, the one that was asked last is answered first.
    readings.pop()?.()
  }
  await brought
  t.same(told, [['old'], ['old', 'new']])
})

t.test('what a reading under way has found is not read again', async (t) => {
  const { feed, readings, told } = setUp(['one'])
  const brought = Promise.all([feed.bringChain('one'), feed.bringChain('one')])
  while (told.length < 1) {
    await nextTurn()
    readings.pop()?.()
  }
  await brought
  t.equal(told.length, 1)
})

t.test('a chain that is gone is read for once, however often its keys are looked up', async (t) => {
  const { feed, readings, told } = setUp(['one', 'two'])
  const answer = async (chainId: string, toldBefore: number) => {
    const brought = feed.bringChain(chainId)
    while (told.length === toldBefore) {
      await nextTurn()
      readings.pop()?.()
    }
    await brought
  }
  await answer('gone', 0)
  for (let lookup = 0; lookup < 3; lookup++) await feed.bringChain('gone')
  t.equal(told.length, 1)
  await answer('two', 1)
  t.same(told.at(-1), ['one', 'two'], 'another chain is still brought')
  t.end()
})
