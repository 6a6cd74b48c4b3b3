// Medians, ranges, ratios of rounds, and what noise can do to them.
import t from 'tap'
import { ratioOfMedians, summarize, summarizeRatios } from '../statistics.ts'

t.test(
  'statistics: the median of an odd and of an even number of values, in any order',
  async (t) => {
    t.same(summarize([30, 10, 20]), { median: 20, min: 10, max: 30 })
    t.same(summarize([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 })
    t.same(summarize([7]), { median: 7, min: 7, max: 7 })
    t.same(summarize([9, 100, 10]), { median: 10, min: 9, max: 100 }, 'numbers, not text')
  }
)

t.test('statistics: no values are a bug, not a zero', async (t) => {
  t.throws(() => summarize([]), /no values/)
  t.throws(() => ratioOfMedians([1, 2], [1]), /not the same rounds/)
})

t.test('statistics: ratios pair the values of the same round', async (t) => {
  t.same(summarizeRatios([10, 40], [5, 10]), { median: 3, min: 2, max: 4 })
})

t.test('statistics: the interval of a ratio holds 1 when only noise differs', async (t) => {
  const noise = [100, 104, 97, 110, 99, 102, 95, 101, 98, 106]
  const { ratio, low, high } = ratioOfMedians(noise, noise.toReversed())
  t.equal(ratio, 1)
  t.ok(low < 1 && high > 1, `${low} to ${high}`)
  t.ok(low > 0.85 && high < 1.15, 'and is no wider than the noise')
})

t.test('statistics: the interval of a ratio excludes 1 when the difference is real', async (t) => {
  const before = [100, 104, 97, 101, 99, 102, 98, 101, 100, 103]
  const after = before.map((value, round) => value * (round % 2 === 0 ? 0.89 : 0.91))
  const { ratio, low, high } = ratioOfMedians(after, before)
  t.ok(Math.abs(ratio - 0.9) < 0.02, `${ratio}`)
  t.ok(low > 0.85 && high < 0.95, `${low} to ${high}`)
})

t.test('statistics: rounds are drawn in pairs, so that noise that hit both cancels', async (t) => {
  const before = [100, 200, 50, 400, 100, 300, 150, 90]
  const after = before.map((value) => value * 1.1)
  const { ratio, low, high } = ratioOfMedians(after, before)
  for (const value of [ratio, low, high]) t.ok(Math.abs(value - 1.1) < 1e-9, `${value}`)
})

t.test('statistics: the same rounds give the same interval', async (t) => {
  const [a, b] = [
    [3, 1, 2, 5],
    [2, 2, 3, 4]
  ]
  t.same(ratioOfMedians(a, b), ratioOfMedians(a, b))
})
