// Scans bodies of 5 and of 20 MB that a scanner can be slow on, and prints what that took as JSON. A program, so that
// the test of it can run it without coverage, whose counters make this code 25 times slower.
import { scan } from '../../rpc/scan.ts'

export interface TimedScan {
  readonly shape: string
  readonly isJson: boolean
  readonly smallMs: number
  readonly largeMs: number
}

const megabyte = 1_000_000

/** Each makes a body of about the given size. */
const shapes: Record<string, (bytes: number) => string> = {
  'one long string': (bytes) => `{"method":"m","params":["${'a'.repeat(bytes)}"]}`,
  'one long number': (bytes) => `{"method":"m","params":[${'1'.repeat(bytes)}]}`,
  'a string of escapes': (bytes) => `"${'\\u0061'.repeat(bytes / 6)}"`,
  'a method of escapes': (bytes) => `{"method":"${'\\u0061'.repeat(bytes / 6)}"}`,
  'a long name': (bytes) => `{"${'m'.repeat(bytes)}":1}`,
  'white space': (bytes) => `${' '.repeat(bytes / 2)}{}${'\n'.repeat(bytes / 2)}`,
  'many small values': (bytes) => `[[${'0,'.repeat(bytes / 2)}0]]`,
  'many items': (bytes) => `[${'{},'.repeat(bytes / 3)}0]`,
  'many members': (bytes) => `{${'"Id":1,'.repeat(bytes / 7)}"method":"m"}`,
  '10 million arrays in arrays': (bytes) => '['.repeat(bytes / 2) + ']'.repeat(bytes / 2),
  'objects in objects': (bytes) => `${'{"":'.repeat(bytes / 5)}1${'}'.repeat(bytes / 5)}`,
  'brackets that never close': (bytes) => '['.repeat(bytes)
}

/** Processor time of this process: other processes on the machine do not count. */
function cpuMsOf(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  return process.cpuUsage(before).user / 1000
}

const timed = Object.entries(shapes).map(([shape, bodyOf]): TimedScan => {
  const small = Buffer.from(bodyOf(5 * megabyte))
  const large = Buffer.from(bodyOf(20 * megabyte))
  // The first scan of a shape is the one that V8 compiles for.
  scan(small, 100)
  const smallMs = cpuMsOf(() => scan(small, 100))
  let isJson = false
  const largeMs = cpuMsOf(() => {
    isJson = scan(large, 100) !== 'parse_error'
  })
  return { shape, isJson, smallMs, largeMs }
})
process.stdout.write(JSON.stringify(timed))
