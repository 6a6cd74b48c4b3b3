import fc from 'fast-check'
import t from 'tap'
import { createLimitMemory } from '../limits/limit-slots.ts'
import {
  addUsed,
  dayOf,
  endOfDayMs,
  quotaMax,
  readUsed,
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

t.test('the largest quota is counted without loss', (t) => {
  const words = newWords()
  addUsed(words, 0, BigInt(quotaMax - 1), today)
  t.ok(useQuota(words, 0, BigInt(quotaMax), 1n, today))
  t.notOk(useQuota(words, 0, BigInt(quotaMax), 1n, today))
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
