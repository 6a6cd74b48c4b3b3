// What understanding a node's answer costs: that it is one, and which calls failed.
//
//   node bench/stages/read-answer.ts
import { gzipSync } from 'node:zlib'
import { readAnswer } from '../../gateway/answers/read-answer.ts'
import type { Exchange } from '../../gateway/exchange.ts'
import { scan } from '../../gateway/rpc/scan.ts'
import { print, time } from './stopwatch.ts'

const chain = { methodNames: { isNews: () => false }, learn: () => undefined }

function exchangeOf(count: number, encoding = ''): Exchange {
  const call = (id: number) => ({ jsonrpc: '2.0', method: 'eth_call', params: [], id })
  const calls = Array.from({ length: count }, (_, id) => call(id))
  const body = Buffer.from(JSON.stringify(count === 1 ? calls[0] : calls))
  const found = scan(body, 1000)
  const answerHeaders = { 'content-type': 'application/json', 'content-encoding': encoding }
  const fields = { chain, scan: found, body, status: 200, refusedCalls: null, answerHeaders }
  return { ...fields, verdicts: null } as unknown as Exchange
}

const result = (id: number, bytes: number) => ({ jsonrpc: '2.0', id, result: 'x'.repeat(bytes) })
const text = (value: unknown) => Buffer.from(JSON.stringify(value))
const one = exchangeOf(1)
const hundred = exchangeOf(100)
const failed = { jsonrpc: '2.0', id: 1, error: { code: -32000, message: 'execution reverted' } }

const cases: [string, Exchange, Buffer][] = [
  ['a short result', one, text(result(1, 1))],
  ['a result of 200 bytes', one, text(result(1, 160))],
  ['a result of 2 kB', one, text(result(1, 2000))],
  ['a result of 100 kB', one, text(result(1, 100_000))],
  ['an error', one, text(failed)],
  ['a short result, gzip', exchangeOf(1, 'gzip'), gzipSync(text(result(1, 1)))],
  ['100 results', hundred, text(Array.from({ length: 100 }, (_, id) => result(id, 66)))]
]
for (const [name, exchange, answer] of cases) {
  const read = () => (readAnswer(exchange, answer) === null ? 0 : 1)
  print(name, answer.length, time(read))
}
