// A batch is scanned into the spans of its items, each with a problem or none of its own.
import fc from 'fast-check'
import t from 'tap'
import { problems } from '../rpc/request.ts'
import { type Scan, scan } from '../rpc/scan.ts'

function scanned(text: string, itemsMax = 10): Scan {
  const result = scan(Buffer.from(text), itemsMax)
  if (result === 'parse_error') throw new Error(`not JSON: ${text}`)
  return result
}

t.test('scan finds each item of a batch, and tells the right from the wrong ones', async (t) => {
  const items = [
    '{"method":"a","id":1}',
    '7',
    '{"method":"b"}',
    '[]',
    '{"id":"x"}',
    '[[{"method":"c"}]]'
  ]
  const text = `[ ${items.join(' , ')} ]`
  const { isBatch, calls } = scanned(text)
  t.ok(isBatch)
  t.same(
    calls.map((call) => text.slice(call.start, call.end)),
    items
  )
  t.same(
    calls.map((call) => call.method),
    ['a', '', 'b', '', '', '']
  )
  t.same(
    calls.map((call) => call.problem),
    [null, problems.notObject, null, problems.notObject, problems.method, problems.notObject]
  )
})

t.test('scan takes an empty batch for a batch of no calls', async (t) => {
  t.same(scanned(' [ ] '), { isBatch: true, calls: [] })
})

t.test('scan takes a batch of one for a batch', async (t) => {
  t.match(scanned('[{"method":"a"}]'), { isBatch: true, calls: { length: 1 } })
  t.match(scanned('{"method":"a"}'), { isBatch: false, calls: { length: 1 } })
})

t.test('scan shows every call of a batch over its limit, up to ten times the limit', async (t) => {
  const batchOf = (items: number) => `[${Array(items).fill('{"method":"a","id":1}').join()}]`
  t.equal(scanned(batchOf(10), 10).calls.length, 10)
  t.equal(scanned(batchOf(11), 10).calls.length, 11)
  t.equal(scanned(batchOf(100), 10).calls.length, 100)
  t.equal(scanned(batchOf(101), 10).calls.length, 100)
  t.equal(scanned(`[${Array(5000).fill('0').join()}]`, 10).calls.length, 100)
})

t.test('scan refuses a batch that stops being JSON behind the calls it shows', async (t) => {
  const calls = Array(200).fill('{"method":"a"}').join()
  for (const end of [',]', '', ']]', ',1', ',{"a"}]', '}', '] x']) {
    t.equal(scan(Buffer.from(`[${calls}${end}`), 10), 'parse_error', end)
  }
  t.not(scan(Buffer.from(`[${calls},{"a":[1,{}]}]`), 10), 'parse_error')
})

t.test('the spans of a batch are its items, whatever they are', async (t) => {
  const item = fc.oneof(fc.json({ maxDepth: 3 }), fc.constant('{"method":"a","id":1}'))
  const gap = fc.constantFrom('', ' ', '\n\t', '\r\n')
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), gap, (items, gap) => {
      const body = Buffer.from(`${gap}[${gap}${items.join(`${gap},${gap}`)}${gap}]${gap}`)
      const result = scan(body, 20)
      return (
        result !== 'parse_error' &&
        result.isBatch &&
        result.calls.length === items.length &&
        result.calls.every(
          (call, index) =>
            JSON.stringify(JSON.parse(body.toString('utf8', call.start, call.end))) ===
            JSON.stringify(JSON.parse(items[index] as string))
        )
      )
    }),
    { numRuns: 2000 }
  )
  t.pass('2,000 batches')
})
