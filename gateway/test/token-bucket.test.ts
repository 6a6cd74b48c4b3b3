import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import t from 'tap'
import { createLimitMemory } from '../limits/limit-words.ts'
import { admitted, rateOf, returnTokens, takeTokens } from '../limits/token-bucket.ts'

const second = 1_000_000_000n
const start = 5_000n * second

t.test('a burst of 5 admits five calls at once and refuses the sixth', (t) => {
  const words = new BigInt64Array(createLimitMemory(1))
  const rate = rateOf(5, 5)
  for (let call = 0; call < 5; call++) {
    t.equal(takeTokens(words, 0, rate, 1n, start), admitted)
  }
  t.equal(takeTokens(words, 0, rate, 1n, start), second / 5n, 'and says when it will pass')
  t.equal(takeTokens(words, 0, rate, 1n, start + second / 5n), admitted)
  t.end()
})

t.test('a call that costs more than the burst never passes and takes nothing', (t) => {
  const words = new BigInt64Array(createLimitMemory(1))
  const rate = rateOf(10, 5)
  t.ok(takeTokens(words, 0, rate, 6n, start) > 0n)
  t.equal(takeTokens(words, 0, rate, 5n, start), admitted)
  t.end()
})

t.test('tokens that are given back can be taken again', (t) => {
  const words = new BigInt64Array(createLimitMemory(1))
  const rate = rateOf(1, 3)
  takeTokens(words, 0, rate, 3n, start)
  returnTokens(words, 0, rate, 2n)
  t.equal(takeTokens(words, 0, rate, 2n, start), admitted)
  t.ok(takeTokens(words, 0, rate, 1n, start) > 0n)
  t.end()
})

t.test('words do not touch each other', (t) => {
  const words = new BigInt64Array(createLimitMemory(3))
  const rate = rateOf(1, 1)
  for (const word of [0, 1, 2]) t.equal(takeTokens(words, word, rate, 1n, start), admitted)
  t.end()
})

t.test('over any window T, admitted cost is at most rate·T + burst', (t) => {
  // Bursts, trickles and pauses.
  const afterNs = fc.oneof(
    fc.constant(0),
    fc.integer({ min: 0, max: 2000 }),
    fc.integer({ min: 0, max: 400_000_000 })
  )
  const calls = fc.array(fc.record({ afterNs, cost: fc.integer({ min: 1, max: 20 }) }), {
    maxLength: 120,
    size: 'max'
  })
  const property = fc.property(
    fc.integer({ min: 1, max: 1_000_000 }),
    fc.integer({ min: 1, max: 1000 }),
    calls,
    (tokensPerSecond, burst, attempts) => {
      const words = new BigInt64Array(createLimitMemory(1))
      const rate = rateOf(tokensPerSecond, burst)
      const passed: { atNs: bigint; cost: number }[] = []
      let nowNs = start
      for (const { afterNs, cost } of attempts) {
        nowNs += BigInt(afterNs)
        if (takeTokens(words, 0, rate, BigInt(cost), nowNs) === admitted)
          passed.push({ atNs: nowNs, cost })
      }
      for (const [first, { atNs: fromNs }] of passed.entries()) {
        let spent = 0
        for (const { atNs, cost } of passed.slice(first)) {
          spent += cost
          const seconds = Number(atNs - fromNs) / 1e9
          if (spent > tokensPerSecond * seconds + burst + 1e-6) return false
        }
      }
      return true
    }
  )
  fc.assert(property, { numRuns: 300 })
  t.end()
})

t.test('a bucket that was idle is full, and no fuller', (t) => {
  const words = new BigInt64Array(createLimitMemory(1))
  const rate = rateOf(100, 10)
  takeTokens(words, 0, rate, 10n, start)
  const later = start + 3600n * second
  t.equal(takeTokens(words, 0, rate, 10n, later), admitted)
  t.ok(takeTokens(words, 0, rate, 1n, later) > 0n)
  t.end()
})

t.test('four threads that take at once never get more than one would', async (t) => {
  const memory = createLimitMemory(1)
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const burst = 400_000
  const workers = [0, 1, 2, 3].map(
    () =>
      new Worker(new URL('./support/take-tokens.ts', import.meta.url), {
        workerData: { memory, gate, burst, attempts: 200_000 }
      })
  )
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const counts = Promise.all(workers.map((worker) => once(worker, 'message')))
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
  const admittedByThread = (await counts).map(([count]) => Number(count))
  const total = admittedByThread.reduce((sum, one) => sum + one, 0)
  t.equal(total, burst, '800,000 attempts on a burst of 400,000 that does not refill meanwhile')
  t.ok(admittedByThread.filter((count) => count > 0).length > 1, 'and they really did so at once')
})
