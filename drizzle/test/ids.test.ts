// Ids of one kind sort by age, match their own pattern, and do not repeat.
import t from 'tap'
import { idPattern, newId } from '../ids.ts'

t.test('an id has its prefix and matches its pattern, and no other one', async (t) => {
  const id = newId('key')
  t.match(id, new RegExp(idPattern('key')))
  t.notMatch(id, new RegExp(idPattern('org')))
  t.equal(id.length, 'key_'.length + 26)
  t.ok(id.length <= 40, 'it fits its column')
})

t.test('a later id sorts behind an earlier one', async (t) => {
  const moments = [0, 1, 31, 32, 1_700_000_000_000, 1_700_000_000_001, 2 ** 47, 2 ** 48 - 1]
  const ids = moments.map((moment) => newId('usr', moment))
  t.same([...ids].sort(), ids)
})

t.test('ids of the same millisecond differ', async (t) => {
  const ids = Array.from({ length: 10_000 }, () => newId('ep', 1_700_000_000_000))
  t.equal(new Set(ids).size, ids.length)
})
