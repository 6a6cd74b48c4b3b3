// Medians, ranges and ratios of rounds.
import t from 'tap'
import { summarize, summarizeRatios } from '../statistics.ts'

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
})

t.test('statistics: ratios pair the values of the same round', async (t) => {
  t.same(summarizeRatios([10, 40], [5, 10]), { median: 3, min: 2, max: 4 })
})
