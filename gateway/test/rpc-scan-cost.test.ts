// A scan costs time in proportion to the body and almost no memory, whatever the body is: nobody can make a gateway
// thread stand still with a clever one.
import t from 'tap'
import { scan } from '../rpc/scan.ts'

const megabyte = 1_000_000

/** Bodies that a scanner can be slow on, each of about the given size. */
const shapes: Record<string, (bytes: number) => Buffer> = {
  'one long string': (bytes) => Buffer.from(`{"method":"m","params":["${'a'.repeat(bytes)}"]}`),
  'one long number': (bytes) => Buffer.from(`{"method":"m","params":[${'1'.repeat(bytes)}]}`),
  'a string of escapes': (bytes) => Buffer.from(`"${'\\u0061'.repeat(bytes / 6)}"`),
  'a method of escapes': (bytes) => Buffer.from(`{"method":"${'\\u0061'.repeat(bytes / 6)}"}`),
  'a long name': (bytes) => Buffer.from(`{"${'m'.repeat(bytes)}":1}`),
  'white space': (bytes) => Buffer.from(`${' '.repeat(bytes / 2)}{}${'\n'.repeat(bytes / 2)}`),
  'many small values': (bytes) => Buffer.from(`[[${'0,'.repeat(bytes / 2)}0]]`),
  'many items': (bytes) => Buffer.from(`[${'{},'.repeat(bytes / 3)}0]`),
  'many members': (bytes) => Buffer.from(`{${'"Id":1,'.repeat(bytes / 7)}"method":"m"}`),
  'arrays in arrays': (bytes) => Buffer.from('['.repeat(bytes / 2) + ']'.repeat(bytes / 2)),
  'objects in objects': (bytes) =>
    Buffer.from(`${'{"":'.repeat(bytes / 5)}1${'}'.repeat(bytes / 5)}`),
  'brackets that never close': (bytes) => Buffer.alloc(bytes, '[')
}

/** Processor time of this process, the least of three: other processes on the machine do not count. */
function cpuMsOf(work: () => void): number {
  const times = [1, 2, 3].map(() => {
    const before = process.cpuUsage()
    work()
    return process.cpuUsage(before).user / 1000
  })
  return Math.min(...times)
}

for (const [shape, bodyOf] of Object.entries(shapes)) {
  t.test(`scan takes time in proportion to the body: ${shape}`, async (t) => {
    const small = bodyOf(5 * megabyte)
    const large = bodyOf(20 * megabyte)
    const smallMs = cpuMsOf(() => scan(small, 100))
    const largeMs = cpuMsOf(() => scan(large, 100))
    // 4 is linear and 16 quadratic; the constant covers what the clock cannot tell apart.
    t.ok(largeMs < 9 * smallMs + 20, `${smallMs} ms for 5 MB, ${largeMs} ms for 20 MB`)
  })
}

t.test('scan takes 10 million levels of nesting, with no call stack', async (t) => {
  const levels = 10 * megabyte
  const nested = (open: string, inner: string, close: string) =>
    Buffer.from(open.repeat(levels) + inner + close.repeat(levels))
  t.not(scan(nested('[', '', ']'), 10), 'parse_error')
  t.not(scan(nested('{"":', '0', '}'), 10), 'parse_error')
  t.equal(scan(nested('[', '', '}'), 10), 'parse_error')
  t.equal(scan(nested('[', '1', ']').subarray(0, -1), 10), 'parse_error')
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
})
