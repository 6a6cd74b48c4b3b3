// The matrix by autocannon: what it counts is what happened, a gateway that answers otherwise is not measured, and a key
// is in nothing that it prints or writes.

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { spawn } from '../../scripts/test/support/processes.ts'
import type { RunResult } from '../matrix/autocannon-run.ts'
import { cases } from '../matrix/cases.ts'
import { readMatrixOptions } from '../matrix/command-line.ts'
import { checkAnswers, checkCount } from '../matrix/matrix.ts'

const main = join(import.meta.dirname, '../main.ts')

async function run(...args: string[]) {
  const child = spawn(process.execPath, [main, 'matrix', ...args], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const output = { out: '', err: '' }
  child.stdout.on('data', (piece: Buffer) => {
    output.out += piece.toString()
  })
  child.stderr.on('data', (piece: Buffer) => {
    output.err += piece.toString()
  })
  const [code] = await once(child, 'close')
  return { code, ...output }
}

function writtenIn(folder: string): { record: string; page: string } {
  const textOf = (ending: string) => {
    const name = readdirSync(folder).find((file) => file.endsWith(ending)) ?? ''
    return readFileSync(join(folder, name), 'utf8')
  }
  return { record: textOf('.json'), page: textOf('.html') }
}

/** Something that answers as a gateway would: 200 for one key, 401 for all others, 400 for what is not JSON. */
async function startGateway(t: Test, goodStatus = 200) {
  const asked = { good: 0, others: 0 }
  const server = createServer((request, response) => {
    const isGood = request.url === '/api=the-key'
    asked[isGood ? 'good' : 'others']++
    let body = ''
    request.on('data', (piece) => {
      body += piece
    })
    request.on('end', () => {
      response.statusCode = !isGood ? 401 : body.endsWith(':') ? 400 : goodStatus
      response.end('{}')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api=the-key`, asked }
}

t.test('matrix: a gateway of this tree gives a table, a record, a page and a check', async (t) => {
  const folder = t.testdir()
  const scenarios = ['single', 'unknown-keys'].flatMap((name) => ['--scenario', name])
  const short = ['--rounds', '1', '--seconds', '1', '--results', folder]
  const { code, out, err } = await run(...scenarios, ...short)
  t.equal(code, 0, err)
  t.match(out, /case +connections +requests\/s/)
  t.match(out, /open-loop generator, the same/)
  t.match(out, 'The gateway spends')
  const { record, page } = writtenIn(folder)
  const { kind, subject, cases: done, check } = JSON.parse(record)
  t.same([kind, subject], ['matrix', 'this tree'])
  t.same(
    done.map(({ name }: { name: string }) => name),
    ['single', 'unknown-keys']
  )
  for (const { name, runs } of done) {
    const [one] = runs
    t.same(Object.keys(one.answersByStatus), [name === 'single' ? '200' : '401'])
    t.ok(one.latencyUs.p99 >= one.latencyUs.p50 && one.latencyUs.p50 > 0)
  }
  t.ok(check.saturated.generator.requestsPerSecond > 0)
  t.ok(check.paced.autocannon.requestsPerSecond > 0)
  t.match(page, '<h2>Checked against the open-loop generator</h2>')
})

t.test('matrix: a running gateway is asked through its URL, which is never told', async (t) => {
  const { url, asked } = await startGateway(t)
  const folder = t.testdir()
  const scenarios = ['up-1k', 'limited', 'unknown-keys', 'malformed']
  const { code, out, err } = await run(
    '--url',
    url,
    ...scenarios.flatMap((name) => ['--scenario', name]),
    ...['--rounds', '1', '--seconds', '1', '--results', folder]
  )
  t.equal(code, 0, err)
  t.ok(asked.good > 0 && asked.others > 0)
  t.match(out, 'limited: left out, it needs a key whose limit is used up')
  const { record, page } = writtenIn(folder)
  t.equal(JSON.parse(record).cases.length, 3)
  for (const text of [out, err, record, page]) t.notMatch(text, 'the-key')
})

t.test('matrix: a gateway that answers otherwise is told as that', async (t) => {
  const { url } = await startGateway(t, 502)
  const short = ['--rounds', '1', '--seconds', '1', '--results', t.testdir()]
  const { code, err } = await run('--url', url, '--scenario', 'up-1k', ...short)
  t.equal(code, 1)
  t.match(err, /up-1k: unexpected answers: \d+ × 502/)
  t.notMatch(err, 'the-key')
})

const [single] = cases as [(typeof cases)[0]]
const result: RunResult = {
  answers: 100,
  answersByStatus: { 200: 100 },
  faults: {},
  elapsedSeconds: 1,
  bytesPerSecond: 1,
  latencyUs: { p50: 1, p90: 1, p99: 1, max: 1 },
  cpuUs: null,
  tables: ''
}

t.test('matrix: the node must have seen what autocannon counted', async (t) => {
  checkCount(single, result, 50, 150)
  checkCount(single, result, 50, 150 + 2 * single.connections)
  checkCount(single, result, null, null)
  t.throws(() => checkCount(single, result, 50, 149), { message: /100 answers, and the node 99/ })
  t.throws(() => checkCount(single, result, 50, 151 + 2 * single.connections))
})

t.test('matrix: errors, resets and silence are never figures', async (t) => {
  checkAnswers(single, result)
  t.throws(() => checkAnswers(single, { ...result, faults: { resets: 3 } }), {
    message: 'single: unexpected answers: 3 × resets'
  })
  t.throws(() => checkAnswers(single, { ...result, answersByStatus: { 200: 99, 429: 1 } }))
  t.throws(() => checkAnswers(single, { ...result, answers: 0, answersByStatus: {} }))
})

t.test('matrix: a wrong command line says what is right, without the key', async (t) => {
  const names = cases.map(({ name }) => name)
  const problemOf = (...args: string[]) => {
    try {
      readMatrixOptions(args, names)
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  t.equal(problemOf('--rounds', '2', '--url', 'http://127.0.0.1:8080/api=slc_x'), '')
  t.match(problemOf('--scenario', 'all'), 'there is no scenario called all, only single, ')
  t.match(problemOf('--rounds', '0'), '--rounds takes a number from 1 to 9999')
  for (const url of ['ftp://x/api=secret', 'http://x/v2/secret', 'secret']) {
    t.match(problemOf('--url', url), 'as http://127.0.0.1:8080/api=<key>')
    t.notMatch(problemOf('--url', url), 'secret')
  }
})
