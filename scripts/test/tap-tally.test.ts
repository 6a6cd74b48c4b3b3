// The last line of `npm test` is true: every test is counted once, and nothing that went wrong is lost.
import t from 'tap'
import { type FileResult, TapTally } from '../tap-tally.ts'

async function tally(tap: string) {
  const files: FileResult[] = []
  const lines: string[] = []
  const reader = new TapTally()
  reader.on('file', (file) => files.push(file))
  reader.on('line', (line) => lines.push(line.trim()))
  reader.write(`TAP version 14\n${tap}`)
  const good = await reader.end()
  const { passed, failed, skipped } = reader.total
  return { good, passed, failed, skipped, files, lines: lines.filter((line) => line !== '') }
}

const file = (name: string, number: number, ok: boolean, inside: string) =>
  `# Subtest: ${name}\n${inside.replace(/^(?=.)/gm, '    ')}${ok ? '' : 'not '}ok ${number} - ${name}\n`
const subtest = file

t.test('tests are counted, not their assertions, at any depth', async (t) => {
  const inside = `${subtest('a', 1, true, 'ok 1\nok 2\nok 3\n1..3\n')}${subtest(
    'b',
    2,
    true,
    `${subtest('b1', 1, true, 'ok 1\n1..1\n')}${subtest('b2', 2, true, 'ok 1\n1..1\n')}1..2\n`
  )}1..2\n`
  const found = await tally(`${file('x.test.ts', 1, true, inside)}1..1\n`)
  t.match(found, { good: true, passed: 3, failed: 0, skipped: 0 })
})

t.test('a failed test is one, whatever failed in it, and is told by its path', async (t) => {
  const inside = `${subtest('a', 1, false, 'not ok 1 - one\nnot ok 2 - two\n1..2\n')}${subtest('b', 2, true, 'ok 1\n1..1\n')}1..2\n`
  const found = await tally(`${file('x.test.ts', 1, false, inside)}1..1\n`)
  t.match(found, { good: false, passed: 1, failed: 1 })
  t.same(
    found.files[0]?.failures.map(({ path }) => path),
    [
      ['a', 'one'],
      ['a', 'two']
    ]
  )
})

t.test('a file without tests of its own counts as one', async (t) => {
  const found = await tally(`${file('x.test.ts', 1, true, 'ok 1\nok 2\n1..2\n')}1..1\n`)
  t.match(found, { good: true, passed: 1, failed: 0 })
})

t.test('a file that crashes after its last test has failed', async (t) => {
  const inside = `${subtest('a', 1, true, 'ok 1\n1..1\n')}1..1\n`
  const tap = `${file('x.test.ts', 1, false, inside)}  ---\n  exitCode: 1\n  ...\n1..1\n`
  const found = await tally(tap)
  t.match(found, { good: false, passed: 1, failed: 1 })
  t.match(found.files[0]?.failures, [{ path: [], diagnostics: { exitCode: 1 } }])
})

t.test('a file that crashes before its first test has failed', async (t) => {
  const found = await tally(`${file('x.test.ts', 1, false, '1..0\n')}1..1\n`)
  t.match(found, { good: false, passed: 0, failed: 1 })
})

t.test('a file that takes too long has failed once, although tap says so twice', async (t) => {
  const slow = file('x.test.ts', 1, false, `${subtest('a', 1, true, 'ok 1\n1..1\n')}1..1\n`)
  const found = await tally(
    `${slow}not ok 2 - timeout!\n  ---\n  expired: x.test.ts\n  ...\n1..2\n`
  )
  t.match(found, { good: false, passed: 1, failed: 1 })
})

t.test('an assertion outside of any test counts when it fails', async (t) => {
  const inside = `${subtest('a', 1, true, 'ok 1\n1..1\n')}not ok 2 - afterwards\n1..2\n`
  const found = await tally(`${file('x.test.ts', 1, false, inside)}1..1\n`)
  t.match(found, { good: false, passed: 1, failed: 1 })
})

t.test('skipped tests are neither passed nor failed', async (t) => {
  const inside = `ok 1 - a # SKIP no engine\nnot ok 2 - b # TODO\n${subtest('c', 3, true, 'ok 1\n1..1\n')}1..3\n`
  const found = await tally(`${file('x.test.ts', 1, true, inside)}1..1\n`)
  t.match(found, { good: true, passed: 1, failed: 0, skipped: 2 })
})

t.test('a run that breaks off is not good', async (t) => {
  t.match(await tally(`${file('x.test.ts', 1, true, 'ok 1\n1..1\n')}1..3\n`), { good: false })
  t.match(await tally('Bail out! no more\n'), { good: false, lines: ['Bail out! no more'] })
  t.match(await tally(''), { good: false, passed: 0 })
})

t.test('what is no TAP is passed on: the coverage report', async (t) => {
  const table = 'File | % Stmts\nall  |     100\n'
  const found = await tally(`${file('x.test.ts', 1, true, 'ok 1\n1..1\n')}1..1\n${table}`)
  t.same(
    found.lines,
    table
      .trim()
      .split('\n')
      .map((line) => line.trim())
  )
})
