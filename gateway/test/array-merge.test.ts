// A batch answer of the node with ours behind it, however it is cut into pieces.
import fc from 'fast-check'
import t from 'tap'
import { ArrayMerge } from '../answers/array-merge.ts'

function merge(pieces: readonly string[], ours: readonly string[]): string | null {
  const merger = new ArrayMerge(ours.map((one) => Buffer.from(one)))
  const passed = pieces.map((piece) => merger.pass(Buffer.from(piece)).toString('latin1'))
  const end = merger.end()
  return end === null ? null : Buffer.from(passed.join(''), 'latin1').toString() + end
}

t.test('merge: whatever the node answers and however it comes, ours are behind it', async (t) => {
  const array = fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 6 })
  const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t'), maxLength: 3 })
  fc.assert(
    fc.property(
      array,
      array,
      fc.constantFrom(0, 2, '\t'),
      space,
      fc.array(fc.nat(9)),
      (answers, ours, indent, around, cuts) => {
        const text = around + JSON.stringify(answers, null, indent) + around
        const pieces: string[] = []
        // Only white space and brackets matter, so that characters may be taken for bytes here.
        const bytes = Buffer.from(text).toString('latin1')
        let at = 0
        for (const cut of [...cuts, bytes.length]) {
          pieces.push(bytes.slice(at, at + cut))
          at += cut
        }
        const merger = new ArrayMerge(ours.map((one) => Buffer.from(JSON.stringify(one))))
        const passed = pieces.map((piece) => Buffer.from(merger.pass(Buffer.from(piece, 'latin1'))))
        const whole = Buffer.concat([...passed, merger.end() ?? Buffer.from('none')]).toString()
        const expected = [...JSON.parse(text), ...ours]
        return (
          JSON.stringify(JSON.parse(whole)) === JSON.stringify(JSON.parse(JSON.stringify(expected)))
        )
      }
    ),
    { numRuns: 1000 }
  )
  t.pass('1,000 answers')
})

t.test('merge: what does not begin and end as an array has no end', async (t) => {
  for (const pieces of [
    [''],
    [' '],
    ['{}'],
    ['[1'],
    ['[', '1'],
    ['[1]', 'x'],
    ['[1] ', ',2'],
    [']'],
    ['"]"']
  ]) {
    t.equal(merge(pieces, ['9']), null, pieces.join('|'))
  }
  t.equal(
    merge(['[1]', ' '.repeat(2000)], ['9']),
    null,
    'nor one that is followed by a lot of nothing'
  )
})

t.test('merge: nothing but the last bracket is held', async (t) => {
  const merger = new ArrayMerge([])
  const piece = Buffer.from('[[1],[2]')
  t.equal(merger.pass(piece).length, piece.length - 1)
  t.equal(`${merger.pass(Buffer.from(' ]'))}`, '] ')
  t.equal(`${merger.end()}`, ']')
})
