// What is read from a node's answer: which calls failed, with which code, and which have a result, for single calls and
// batches, plain and compressed.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { mayHoldError, openAnswer, readVerdicts } from '../rpc/answer.ts'
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
  for (const [answer, verdict] of answers) t.equal(verdicts(answer).get(0), verdict, answer)
})

t.test(
  'answers of a batch are matched by id, in whatever order and however ids are written',
  async (t) => {
    const request =
      '[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":"x\\u0031","method":"b"},' +
      '{"jsonrpc":"2.0","method":"c"},{"jsonrpc":"2.0","id":1e1,"method":"d"},{"jsonrpc":"2.0","id":"1","method":"e"}]'
    const answer =
      '[{"id":"1","result":1},{"id":10,"error":{"code":-32601}},{"id":"x1","error":{"code":3}},{"id":1,"result":0},{"id":99,"result":0}]'
    t.same([...verdicts(answer, request)].sort(), [
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
      [...verdicts(`[${error},${error}]`, request)],
      [
        [0, 5],
        [1, 5]
      ]
    )
    t.same(
      [...verdicts(`[${error},${error}]`, request, [0])],
      [
        [1, 5],
        [2, 5]
      ]
    )
    t.same([...verdicts(error, request)], [], 'one error for a whole batch names no call')
  }
)

t.test('short compressed answers are opened, others left alone', async (t) => {
  const plain = Buffer.from('{"id":1,"error":{"code":-32000}}')
  for (const [encoding, bytes] of [
    ['', plain],
    ['identity', plain],
    ['gzip', gzipSync(plain)],
    ['deflate', deflateSync(plain)],
    ['br', brotliCompressSync(plain)]
  ] as const) {
    t.same(openAnswer(bytes, encoding), plain, encoding)
  }
  t.equal(openAnswer(plain, 'gzip'), null, 'not what it says')
  t.equal(openAnswer(plain, 'zstd'), null, 'unknown')
  t.equal(openAnswer(Buffer.alloc(300_000), ''), null, 'too large')
  t.equal(openAnswer(gzipSync(Buffer.alloc(1_000_000)), 'gzip'), null, 'a bomb')
})

t.test('an answer that holds no error is told from one search', async (t) => {
  t.equal(mayHoldError(Buffer.from('{"result":"no error here"}')), false)
  t.equal(mayHoldError(Buffer.from('{"result":"say \\"error\\""}')), false)
  t.equal(mayHoldError(Buffer.from('{"result":{"error":1}}')), true)
})
