// How fast a thread looks up keys that do not exist, and how soon it looks up others again.
import t from 'tap'
import { VainLookups } from '../keys/vain-lookups.ts'

const perSecond = 200

t.test('so many a second, and a second of them at once', async (t) => {
  const lookups = new VainLookups(perSecond, 0)
  let inVain = 0
  for (let nowMs = 0; nowMs <= 10_000; nowMs++) {
    if (lookups.areSpent(nowMs)) continue
    lookups.count()
    inVain++
  }
  t.ok(inVain > 10.5 * perSecond && inVain <= 11 * perSecond, `${inVain} in 10 s`)
})

t.test('however many were in vain, a good key is looked up again soon', async (t) => {
  const lookups = new VainLookups(perSecond, 0)
  for (let count = 0; count < 100_000; count++) lookups.count()
  t.ok(lookups.areSpent(500))
  t.notOk(lookups.areSpent(1100))
})
