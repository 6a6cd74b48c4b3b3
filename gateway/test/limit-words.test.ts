// The words behind limits: what a plan that changes does to them, and when they are used again.
import t from 'tap'
import type { Clock } from '../clock.ts'
import { createLimitMemory, LimitWords, noWord } from '../limits/limit-words.ts'
import { readUsed, refused, useQuota } from '../limits/quota.ts'
import { admitted, type Rate, rateOf, takeTokens } from '../limits/token-bucket.ts'

const second = 1_000_000_000n
const graceMs = 5000

function setUp(scopesMax = 4) {
  const words = new BigInt64Array(createLimitMemory(scopesMax))
  let ns = 5_000n * second
  const clock: Pick<Clock, 'nowMs' | 'nowNs'> = {
    nowMs: () => Number(ns / 1_000_000n),
    nowNs: () => ns
  }
  const unwritten = new Set<number>()
  const closed: number[] = []
  const toForget: string[] = []
  const limits = new LimitWords({
    words,
    clock,
    graceMs,
    ledger: {
      open: () => undefined,
      raise: () => undefined,
      isWritten: (word) => !unwritten.has(word),
      close: (word) => closed.push(word)
    },
    forget: (scopeIds) => toForget.push(...scopeIds)
  })
  return {
    limits,
    words,
    unwritten,
    closed,
    toForget,
    pass: (seconds: number) => {
      ns += BigInt(Math.round(seconds * 1e9))
    },
    take: (word: number, rate: Rate, cost: number) =>
      takeTokens(words, word, rate, BigInt(cost), ns),
    /** A reading of the change log that every thread has applied. */
    read: (forgotten: readonly string[] = []) => {
      const reading = limits.beginReading()
      limits.forget(forgotten)
      limits.hear(reading)
    }
  }
}

const bucketOf = (limits: LimitWords, scopeId: string, rate: Rate | null): number => {
  const word = limits.bucketOf(scopeId, rate)
  if (word === null) throw new Error('no word is free')
  return word
}

t.test('a raised rate: what was spent is owed in tokens, not in the time of the old rate', (t) => {
  const { limits, take } = setUp()
  const slow = rateOf(1, 1000)
  t.equal(take(bucketOf(limits, 'ep_1', slow), slow, 1000), admitted)
  const fast = rateOf(100, 100)
  const word = bucketOf(limits, 'ep_1', fast)
  t.equal(
    take(word, fast, 1),
    second / 100n,
    'the burst is spent: the next token is there in 10 ms'
  )
  t.end()
})

t.test('a raised burst: what was not spent can be spent at once', (t) => {
  const { limits, take } = setUp()
  const small = rateOf(1, 1000)
  take(bucketOf(limits, 'ep_1', small), small, 500)
  const large = rateOf(1000, 1_000_000)
  const word = bucketOf(limits, 'ep_1', large)
  t.equal(take(word, large, 999_500), admitted)
  t.ok(take(word, large, 1) > 0n)
  t.end()
})

t.test('a lowered rate: what was spent stays spent', (t) => {
  const { limits, take } = setUp()
  const fast = rateOf(1000, 1000)
  take(bucketOf(limits, 'ep_1', fast), fast, 1000)
  const slow = rateOf(1, 1000)
  const word = bucketOf(limits, 'ep_1', slow)
  t.equal(take(word, slow, 1), second, 'not 999 calls at once')
  t.end()
})

t.test('what a thread takes by the old plan before it has heard is owed under the new one', (t) => {
  const { limits, take, read } = setUp()
  const slow = rateOf(1, 1000)
  const fast = rateOf(10, 1000)
  const before = bucketOf(limits, 'ep_1', slow)
  const after = bucketOf(limits, 'ep_1', fast)
  t.not(before, after, 'no thread counts old prices into the new bucket')
  take(before, slow, 600)
  read()
  t.equal(take(after, fast, 400), admitted)
  t.ok(take(after, fast, 1) > 0n)
  t.end()
})

t.test('the same plan, asked for again, is the same word', (t) => {
  const { limits } = setUp()
  t.equal(bucketOf(limits, 'ep_1', rateOf(5, 5)), bucketOf(limits, 'ep_1', rateOf(5, 5)))
  t.equal(limits.quotaOf('ep_1', 10, 3), limits.quotaOf('ep_1', 10, 7))
  t.end()
})

t.test('a word is used again only after every thread has heard, and the grace time', (t) => {
  const { limits, take, pass, read } = setUp(1)
  const rate = rateOf(10, 10)
  const given = bucketOf(limits, 'ep_1', rate)
  const old = take(given, rate, 10)
  t.equal(old, admitted)
  t.equal(limits.bucketOf('ep_1', null), noWord)
  t.equal(limits.left, 1)
  const unheard = limits.beginReading()
  pass(60)
  t.equal(limits.left, 1, 'no thread has heard, however long it takes')
  limits.hear(unheard)
  pass(graceMs / 1000 - 1)
  read()
  t.equal(limits.left, 1, 'a request that was under way could still use it')
  pass(1)
  read()
  t.equal(limits.left, 2)
  const again = [bucketOf(limits, 'ep_2', rate), bucketOf(limits, 'ep_3', rate)]
  t.ok(again.includes(given))
  for (const word of again)
    t.equal(take(word, rate, 10), admitted, 'nothing is left of the last owner')
  t.end()
})

t.test('a reading that began before a word was given up proves nothing', (t) => {
  const { limits, pass, read } = setUp(1)
  const reading = limits.beginReading()
  bucketOf(limits, 'ep_1', rateOf(10, 10))
  limits.bucketOf('ep_1', null)
  limits.hear(reading)
  pass(60)
  read()
  t.equal(limits.left, 1, 'the grace time begins with this one')
  pass(60)
  read()
  t.equal(limits.left, 2)
  t.end()
})

t.test(
  'a scope that was deleted gives its words back; one that is asked for again keeps them',
  (t) => {
    const { limits, pass, read, closed } = setUp(2)
    const words = ['ep_1', 'ep_2'].map((scopeId) => [
      bucketOf(limits, scopeId, rateOf(10, 10)),
      limits.quotaOf(scopeId, 10, 0)
    ])
    t.equal(limits.left, 0)
    const reading = limits.beginReading()
    limits.forget(['ep_1', 'ep_2'])
    t.same([bucketOf(limits, 'ep_2', rateOf(10, 10)), limits.quotaOf('ep_2', 10, 9)], words[1])
    limits.hear(reading)
    for (let round = 0; round < 4; round++) {
      read()
      pass(60)
    }
    read()
    t.equal(limits.left, 2)
    t.same(closed, [words[0]?.[1]])
    t.end()
  }
)

t.test('a quota word waits until the database has what it holds', (t) => {
  const { limits, words, pass, read, unwritten } = setUp(1)
  const word = limits.quotaOf('ep_1', 10, 4) ?? noWord
  t.same(readUsed(words, word), { day: 10, used: 4 })
  t.equal(useQuota(words, word, 10n, 6n, 10), 10)
  t.equal(useQuota(words, word, 10n, 1n, 10), refused)
  unwritten.add(word)
  read(['ep_1'])
  for (let round = 0; round < 3; round++) {
    read()
    pass(60)
  }
  t.equal(limits.left, 1)
  unwritten.clear()
  for (let round = 0; round < 3; round++) {
    read()
    pass(60)
  }
  t.equal(limits.left, 2)
  t.end()
})

t.test('a quota that is taken away and set again knows what was used before and meanwhile', (t) => {
  const { limits, words } = setUp(1)
  const word = limits.quotaOf('ep_1', 10, 0) ?? noWord
  useQuota(words, word, 10n, 6n, 10)
  limits.endQuota('ep_1')
  t.notOk(limits.hasQuota('ep_1'))
  t.equal(limits.quotaOf('ep_1', 10, 4), word)
  t.same(readUsed(words, word), { day: 10, used: 6 }, 'the database is behind')
  limits.endQuota('ep_1')
  limits.quotaOf('ep_1', 10, 8)
  t.same(readUsed(words, word), { day: 10, used: 8 }, 'or ahead')
  t.end()
})

t.test('what a bucket owes outlives a change of its scope', (t) => {
  const { limits, take, pass, read } = setUp()
  const rate = rateOf(1, 1000)
  take(bucketOf(limits, 'ep_1', rate), rate, 1000)
  read(['ep_1'])
  pass(100)
  read()
  pass(100)
  read()
  t.ok(take(bucketOf(limits, 'ep_1', rate), rate, 201) > 0n, '200 tokens came back in 200 s')
  t.end()
})

t.test('when no word is free, idle scopes are forgotten and a new one gets its word', (t) => {
  const { limits, pass, read, toForget } = setUp(16)
  const rate = rateOf(10, 10)
  for (let n = 0; n < 32; n++) bucketOf(limits, `ep_${n}`, rate)
  bucketOf(limits, 'ep_0', rate)
  t.equal(limits.bucketOf('ep_new', rate), null)
  t.same(toForget, ['ep_1', 'ep_2'], 'those that were not asked for longest, once')
  t.equal(limits.bucketOf('ep_new', rate), null)
  t.equal(toForget.length, 2)
  read(toForget)
  read()
  pass(graceMs / 1000)
  read()
  t.type(limits.bucketOf('ep_new', rate), 'number')
  t.end()
})
