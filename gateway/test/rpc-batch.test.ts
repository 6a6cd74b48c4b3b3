// A batch that is answered partly by us: what goes up, and what goes back.
import fc from 'fast-check'
import t from 'tap'
import { idOf, mergeAnswers, withoutCalls } from '../rpc/batch.ts'
import { type Scan, scan } from '../rpc/scan.ts'

function scanned(body: Buffer): Scan {
  const result = scan(body, 100)
  if (result === 'parse_error') throw new Error(`not JSON: ${body}`)
  return result
}

t.test('batch: what goes up is the bytes of the items that were not refused', async (t) => {
  const body = Buffer.from('[ {"method":"a", "id":1.0} ,{"method":"b"},\n{"method":"\\u0063é"}]')
  const up = (...refused: number[]) => `${withoutCalls(body, scanned(body), new Set(refused))}`
  t.equal(up(), '[{"method":"a", "id":1.0},{"method":"b"},{"method":"\\u0063é"}]')
  t.equal(up(1), '[{"method":"a", "id":1.0},{"method":"\\u0063é"}]')
  t.equal(up(0, 2), '[{"method":"b"}]')
  t.equal(up(0, 1, 2), '[]')
})

t.test('batch: what goes up is a batch of exactly the items that were not refused', async (t) => {
  const item = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value))
  fc.assert(
    fc.property(fc.array(fc.tuple(item, fc.boolean()), { maxLength: 12 }), (items) => {
      const body = Buffer.from(`[${items.map(([text]) => text).join(' , ')}]`)
      const refused = new Set(items.flatMap(([, isRefused], index) => (isRefused ? [index] : [])))
      const kept = items.filter(([, isRefused]) => !isRefused).map(([text]) => text)
      return `${withoutCalls(body, scanned(body), refused)}` === `[${kept.join()}]`
    }),
    { numRuns: 1000 }
  )
  t.pass('1,000 batches')
})

t.test('batch: our errors are added to what the upstream answered', async (t) => {
  const errors = [Buffer.from('{"id":2}'), Buffer.from('{"id":3}')]
  const merged = (answer: string) => `${mergeAnswers(Buffer.from(answer), errors)}`
  t.equal(merged('[{"id":1}]'), '[{"id":1},{"id":2},{"id":3}]')
  t.same(JSON.parse(merged(' [ {"id":1} , 7 ] \n')), [{ id: 1 }, 7, { id: 2 }, { id: 3 }])
  t.equal(merged('[]'), '[{"id":2},{"id":3}]')
  t.equal(merged(' [ \n] '), '[{"id":2},{"id":3}]')
  t.equal(`${mergeAnswers(Buffer.from('[1]'), [])}`, '[1]')
})

t.test('batch: an answer that is not a JSON array is not merged', async (t) => {
  const errors = [Buffer.from('{"id":2}')]
  for (const answer of [
    '',
    ' ',
    '{"id":null,"error":{}}',
    '[{"id":1}',
    '[{"id":1},]',
    '[{"id":1}] x',
    '[{"id":1}][',
    ']',
    '"[]"',
    '<html>[]</html>'
  ]) {
    t.equal(mergeAnswers(Buffer.from(answer), errors), null, answer)
  }
})

t.test('batch: merged answers are those of the upstream and ours', async (t) => {
  const array = fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 6 })
  fc.assert(
    fc.property(array, array, fc.constantFrom(0, 2, '\t'), (answers, errors, indent) => {
      const merged = mergeAnswers(
        Buffer.from(JSON.stringify(answers, null, indent)),
        errors.map((error) => Buffer.from(JSON.stringify(error)))
      )
      return (
        `${JSON.stringify(JSON.parse(`${merged}`))}` === JSON.stringify([...answers, ...errors])
      )
    }),
    { numRuns: 1000 }
  )
  t.pass('1,000 answers')
})

t.test('batch: an id is echoed as the client wrote it, and null when there is none', async (t) => {
  const body = Buffer.from(
    '[{"method":"a","id":1.0},{"method":"a","id":"\\u0061é"},{"method":"a"},{"method":"a","id":[]},null,{"id":7,"Id":7}]'
  )
  t.same(
    scanned(body).calls.map((call) => idOf(body, call)),
    ['1.0', '"\\u0061é"', 'null', 'null', 'null', '7']
  )
})
