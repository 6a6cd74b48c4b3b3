import fc from 'fast-check'
import t from 'tap'
import { createLimitMemory } from '../limits/limit-words.ts'
import {
  addUsed,
  dayOf,
  endOfDayMs,
  quotaMax,
  readUsed,
  refused,
  returnQuota,
  useQuota
} from '../limits/quota.ts'

const today = dayOf(Date.parse('2026-11-23T10:00:00Z'))
const newWords = () => new BigInt64Array(createLimitMemory(1))

t.test('a quota admits exactly its cost, and a refused call uses nothing', (t) => {
  const words = newWords()
  t.ok(useQuota(words, 0, 10n, 7n, today))
  t.notOk(useQuota(words, 0, 10n, 4n, today))
  t.ok(useQuota(words, 0, 10n, 3n, today))
  t.notOk(useQuota(words, 0, 10n, 1n, today))
  t.same(readUsed(words, 0), { day: today, used: 10 })
  t.end()
})

t.test('a new day starts at nothing', (t) => {
  const words = newWords()
  useQuota(words, 0, 10n, 10n, today)
  t.ok(useQuota(words, 0, 10n, 10n, today + 1))
  t.same(readUsed(words, 0), { day: today + 1, used: 10 })
  t.end()
})

t.test('what is given back after midnight is not given to the new day', (t) => {
  const words = newWords()
  useQuota(words, 0, 10n, 4n, today + 1)
  returnQuota(words, 0, 3n, today)
  t.same(readUsed(words, 0), { day: today + 1, used: 4 })
  t.end()
})

t.test('an earlier day never replaces a later one', (t) => {
  const words = newWords()
  useQuota(words, 0, 100n, 100n, today)
  addUsed(words, 0, 5n, today - 1)
  t.same(readUsed(words, 0), { day: today, used: 100 }, "another gateway's use of yesterday")
  t.equal(useQuota(words, 0, 100n, 1n, today - 1), refused, 'a charge of just before midnight')
  t.equal(useQuota(words, 0, 100n, 1n, today), refused)
  t.end()
})

t.test('what is charged to the later day is given back to it', (t) => {
  const words = newWords()
  useQuota(words, 0, 100n, 10n, today)
  const day = useQuota(words, 0, 100n, 20n, today - 1)
  t.equal(day, today)
  returnQuota(words, 0, 20n, day)
  t.same(readUsed(words, 0), { day: today, used: 10 })
  t.end()
})

t.test('a day of a clock that was far ahead does not last until that day comes', (t) => {
  const words = newWords()
  useQuota(words, 0, 10n, 10n, today + 400)
  t.equal(useQuota(words, 0, 10n, 10n, today), today)
  t.equal(useQuota(words, 0, 10n, 1n, today), refused)
  t.end()
})

t.test('the largest quota is counted without loss', (t) => {
  const words = newWords()
  addUsed(words, 0, BigInt(quotaMax - 1), today)
  t.ok(useQuota(words, 0, BigInt(quotaMax), 1n, today))
  t.notOk(useQuota(words, 0, BigInt(quotaMax), 1n, today))
  t.same(readUsed(words, 0), { day: today, used: quotaMax })
  t.end()
})

t.test('near the top of a word nothing runs over into the day', (t) => {
  const words = newWords()
  addUsed(words, 0, BigInt(quotaMax - 6), today)
  t.equal(useQuota(words, 0, BigInt(quotaMax), 8n, today), refused)
  addUsed(words, 0, 8n, today)
  t.same(readUsed(words, 0), { day: today, used: quotaMax })
  t.end()
})

t.test('whatever is used and given back, the sum is right and never above the limit', (t) => {
  const steps = fc.array(fc.record({ cost: fc.integer({ min: 0, max: 50 }), back: fc.boolean() }))
  const property = fc.property(fc.integer({ min: 0, max: 500 }), steps, (limit, all) => {
    const words = newWords()
    let used = 0
    for (const { cost, back } of all) {
      if (!useQuota(words, 0, BigInt(limit), BigInt(cost), today)) {
        if (used + cost <= limit) return false
        continue
      }
      used += cost
      if (!back) continue
      returnQuota(words, 0, BigInt(cost), today)
      used -= cost
    }
    return used <= limit && readUsed(words, 0).used === used
  })
  fc.assert(property)
  t.end()
})

t.test('a day ends at the next midnight in UTC', (t) => {
  t.equal(endOfDayMs(Date.parse('2026-11-23T23:59:59.999Z')), Date.parse('2026-11-24T00:00:00Z'))
  t.equal(endOfDayMs(Date.parse('2026-11-24T00:00:00Z')), Date.parse('2026-11-25T00:00:00Z'))
  t.end()
})
