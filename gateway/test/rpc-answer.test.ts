// What is read from a node's answer: which calls failed, with which code, and which have a result, for single calls and
// batches, plain and compressed.
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import {
  beginsAnswer,
  endsAnswer,
  holdsResults,
  lastByteOf,
  mayHoldError,
  openAnswer,
  outlineOf,
  readVerdicts
} from '../rpc/answer.ts'
import { scan } from '../rpc/scan.ts'

const single = '{"jsonrpc":"2.0","id":1,"method":"eth_call"}'

function verdicts(answer: string, request = single, refused: readonly number[] = []) {
  const body = Buffer.from(request)
  const found = scan(body, 100)
  if (found === 'parse_error') throw new Error(request)
  return readVerdicts(Buffer.from(answer), body, found, (index) => !refused.includes(index))
}

t.test('an answer to a single call has a result, an error with its code, or neither', async (t) => {
  const answers: [string, number | 'result' | undefined][] = [
    ['{"result":null}', 'result'],
    ['{"id":1,"error":null,"result":[]}', 'result'],
    ['{"id":1,"error":{"code":-32000,"message":"reverted"}}', -32000],
    ['{"error":{"code":1},"result":1}', 1],
    ['{"error":{"code":"x"}}', 0],
    ['{"error":"text"}', 0],
    ['{"id":1}', undefined],
    ['[{"result":1}]', undefined],
    ['null', undefined],
    ['"result"', undefined],
    ['{"result":1', undefined],
    ['<html>502</html>', undefined],
    ['', undefined]
  ]
  for (const [answer, verdict] of answers) t.equal(verdicts(answer)?.get(0), verdict, answer)
})

t.test(
  'answers of a batch are matched by id, in whatever order and however ids are written',
  async (t) => {
    const request =
      '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":"x\\u0031","method":"b"},' +
      '{"jsonrpc":"2.0","method":"c"},{"jsonrpc":"2.0","id":1e1,"method":"d"},{"jsonrpc":"2.0","id":"1","method":"e"}]'
    const answer =
      '[{"id":"1","result":1},{"id":10,"error":{"code":-32601}},{"id":"x1","error":{"code":3}},{"id":1,"result":0},{"id":99,"result":0}]'
    t.same([...(verdicts(answer, request) ?? [])].sort(), [
      [0, 'result'],
      [1, 3],
      [3, -32601],
      [4, 'result']
    ])
  }
)

t.test(
  'an id that is used twice, or by a call that was not sent, is counted once for each answer',
  async (t) => {
    const request = `[${Array(3).fill(single).join(',')}]`
    const error = '{"id":1,"error":{"code":5}}'
    t.same(
      [...(verdicts(`[${error},${error}]`, request) ?? [])],
      [
        [0, 5],
        [1, 5],
        [2, 'missing']
      ]
    )
    t.same(
      [...(verdicts(`[${error},${error}]`, request, [0]) ?? [])],
      [
        [1, 5],
        [2, 5]
      ]
    )
  }
)

const pair =
  '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"method":"b"},{"jsonrpc":"2.0","method":"c"}]'

t.test('one error for a whole batch is that of each call that was sent', async (t) => {
  const error = '{"jsonrpc":"2.0","id":null,"error":{"code":-32005}}'
  t.same(
    [...(verdicts(error, pair) ?? [])],
    [
      [0, -32005],
      [1, -32005],
      [2, -32005]
    ]
  )
  t.same(
    [...(verdicts(error, pair, [0]) ?? [])],
    [
      [1, -32005],
      [2, -32005]
    ]
  )
})

t.test('an answer of a batch whose id is none of ours belongs to the next open call', async (t) => {
  const both = verdicts('[{"id":null,"error":{"code":7}},{"id":1,"result":0}]', pair)
  t.same([...(both ?? [])].sort(), [
    [0, 'result'],
    [1, 7]
  ])
  t.same([...(verdicts('[{"id":2,"result":0},{}]', pair) ?? [])].sort(), [
    [0, 'missing'],
    [1, 'result']
  ])
})

t.test('what answers no call of a batch is no answer to it', async (t) => {
  for (const text of ['[]', '[1,{}]', '{"result":[1,2]}', '{"error":null}', '[{"result":1}', '']) {
    t.equal(verdicts(text, pair), null, text)
  }
  const notifications = '[{"jsonrpc":"2.0","method":"a"}]'
  t.same([...(verdicts('[]', notifications) ?? ['none'])], [], 'notifications want none')
})

t.test('the outline of an answer to one call', async (t) => {
  const large = `"${'x'.repeat(300)}"`
  for (const value of ['1', large, `[${large}]`, 'null', '{"a":{"error":1}}']) {
    const outline = (text: string) => outlineOf(Buffer.from(text))
    const isNested = value.includes('error')
    t.equal(outline(`{"jsonrpc":"2.0","id":1,"result":${value}}`), 'result', value)
    t.equal(outline(` {"id":1 ,\n "result" : ${value} , "x":[] }\r\n`), 'result')
    t.equal(outline(`{"error":{"code":1},"id":${value}}`), 'error')
    t.equal(outline(`{"result":${value},"error":{}}`), 'error')
    if (!isNested) t.equal(outline(`{"id":1,"results":${value}}`), 'neither')
    for (const cut of [`{"result":${value}`, `{"result":${value},`, `"result":${value}}`]) {
      t.equal(outline(cut), 'neither', cut.slice(0, 40))
    }
    t.equal(outline(`[{"result":${value}}]`), 'neither')
    t.equal(outline(`<html>"result"${value}</html>`), 'neither')
  }
})

t.test('a short answer that is cut anywhere has no outline', async (t) => {
  const whole = '{"jsonrpc":"2.0","id":1,"result":{"a":{"b":["0x1",{"c":null}]}}}'
  for (let length = 0; length < whole.length; length++) {
    t.equal(outlineOf(Buffer.from(whole.slice(0, length))), 'neither', `${length} bytes`)
  }
  t.equal(outlineOf(Buffer.from('{"error":null,"result":1,"id":1}')), 'result')
  t.equal(outlineOf(Buffer.from('{"data":{"result":1}}')), 'neither')
})

t.test('a batch of results is told from its ends and its names', async (t) => {
  const holds = (text: string, count: number) => holdsResults(Buffer.from(text), count)
  t.equal(holds('[{"result":1},{"result":2}]', 2), true)
  t.equal(holds(' [{"result":1}]\n', 1), true)
  t.equal(holds('[]', 0), true)
  for (const text of [
    '[{"result":1}]',
    '[{"result":1},{"result":2}',
    '{"result":["result"]}',
    '[]'
  ]) {
    t.equal(holds(text, 2), false, text)
  }
})

t.test('both ends of an answer are seen past white space', async (t) => {
  t.equal(beginsAnswer(Buffer.from(' \n{'), false), true)
  t.equal(beginsAnswer(Buffer.from(' \n{'), true), false)
  t.equal(beginsAnswer(Buffer.from('[{'), true), true)
  t.equal(beginsAnswer(Buffer.from('  '), true), true, 'the rest may come')
  t.equal(beginsAnswer(Buffer.from('<html>'), false), false)
  const last = lastByteOf(Buffer.from('\r\n'), lastByteOf(Buffer.from('1} '), 0))
  t.equal(endsAnswer(last, false), true)
  t.equal(endsAnswer(last, true), false)
})

t.test('short compressed answers are opened, others left alone', async (t) => {
  const plain = Buffer.from('{"id":1,"error":{"code":-32000}}')
  for (const [encoding, bytes] of [
    ['', plain],
    ['identity', plain],
    ['gzip', gzipSync(plain)],
    ['deflate', deflateSync(plain)],
    ['br', brotliCompressSync(plain)],
    ['GZip', gzipSync(plain)],
    ['zstd', zstdCompressSync(plain)]
  ] as const) {
    t.same(openAnswer(bytes, encoding), plain, encoding)
  }
  t.equal(openAnswer(plain, 'gzip'), 'broken', 'not what it says')
  for (const encoding of ['compress', 'gzip, br', 'constructor']) {
    t.equal(openAnswer(plain, encoding), 'unread', encoding)
  }
  t.equal(openAnswer(Buffer.alloc(300_000), ''), 'unread', 'too large')
  t.equal(openAnswer(gzipSync(Buffer.alloc(1_000_000)), 'gzip'), 'unread', 'a bomb')
})

t.test('an answer that holds no error is told from one search', async (t) => {
  t.equal(mayHoldError(Buffer.from('{"result":"no error here"}')), false)
  t.equal(mayHoldError(Buffer.from('{"result":"say \\"error\\""}')), false)
  t.equal(mayHoldError(Buffer.from('{"result":{"error":1}}')), true)
})
