// What finding method and id in a body costs, beside what JSON.parse would cost, which reads everything into objects.
//
//   node bench/stages/scan.ts
import { scan } from '../../gateway/rpc/scan.ts'
import { print, time } from './stopwatch.ts'

const call = (method: string, params: unknown, id = 1) => ({ jsonrpc: '2.0', method, params, id })
const ethCall = call('eth_call', [
  { to: `0x${'ab'.repeat(20)}`, data: `0x${'5'.repeat(136)}` },
  'latest'
])
const bodies: Record<string, unknown> = {
  eth_blockNumber: call('eth_blockNumber', []),
  eth_call: ethCall,
  'batch of 100 eth_call': Array.from({ length: 100 }, () => ethCall),
  'eth_sendRawTransaction, a blob': call('eth_sendRawTransaction', [`0x${'5'.repeat(262_144)}`]),
  'many small values': call(
    'x',
    Array.from({ length: 20_000 }, (_, n) => ({ a: n, b: [n, null] }))
  ),
  'text that is not ASCII': call('x', ['é€😀'.repeat(10_000)])
}

// A scanner that has only ever met good bodies is compiled for those alone: no gateway stays like that for long.
const malformed = [
  '',
  '{',
  '[1,',
  '{"a" 1}',
  '"\\u12',
  '{"method":"m","id":01}',
  '[1 2]',
  '{"id":1,}',
  'nul',
  '7'
]
for (let times = 0; times < 1000; times++) {
  for (const text of malformed) scan(Buffer.from(text), 100)
}

for (const [name, value] of Object.entries(bodies)) {
  const body = Buffer.from(JSON.stringify(value))
  const scanned = () => {
    const result = scan(body, 100)
    if (result === 'parse_error') throw new Error(`${name} is not JSON`)
    return result.calls.length
  }
  print(`scan        ${name}`, body.length, time(scanned))
  const parsed = () => (JSON.parse(body.toString()) === null ? 0 : 1)
  print(`JSON.parse  ${name}`, body.length, time(parsed))
}
