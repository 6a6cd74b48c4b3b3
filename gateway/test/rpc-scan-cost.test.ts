// A scan costs time in proportion to the body and almost no memory, whatever the body is: nobody can make a gateway
// thread stand still with a clever one.
import { join } from 'node:path'
import t from 'tap'
import { execFileSync } from '../../scripts/test/support/processes.ts'
import { scan } from '../rpc/scan.ts'
import type { TimedScan } from './support/time-scans.ts'

const title = 'scan takes time in proportion to the body, of whatever shape, and no call stack'
t.test(title, async (t) => {
  const program = join(import.meta.dirname, 'support/time-scans.ts')
  // Without coverage. Node hands the variable on to its children unless they have one of their own.
  const env = { NODE_V8_COVERAGE: '' }
  const stdout = execFileSync(process.execPath, [program], { env, encoding: 'utf8' })
  const timed: TimedScan[] = JSON.parse(stdout)
  t.equal(timed.length, 12)
  for (const { shape, isJson, smallMs, largeMs } of timed) {
    // 4 is linear and 16 quadratic; the constant covers what the clock cannot tell apart.
    t.ok(largeMs < 9 * smallMs + 20, `${shape}: ${smallMs} ms for 5 MB, ${largeMs} ms for 20 MB`)
    t.equal(isJson, shape !== 'brackets that never close', `${shape}: read to its end`)
  }
})

t.test('scan keeps which brackets are open apart at every level', async (t) => {
  const levels = 20_000
  const open = Array.from({ length: levels }, (_, level) => (level % 3 === 0 ? '{"":' : '['))
  const close = open.map((bracket) => (bracket === '[' ? ']' : '}')).reverse()
  const body = (closing: string[]) => Buffer.from(`${open.join('')}0${closing.join('')}`)
  t.not(scan(body(close), 10), 'parse_error')
  for (const wrong of [0, 7, 8, 511, 512, 4095, 4096, 4097, levels - 1]) {
    const swapped = close.with(wrong, close[wrong] === ']' ? '}' : ']')
    t.equal(scan(body(swapped), 10), 'parse_error', `bracket ${wrong}`)
  }
  t.equal(scan(body(close.slice(1)), 10), 'parse_error', 'one bracket too few')
  t.equal(scan(body([...close, ']']), 10), 'parse_error', 'one bracket too many')
})
