// The smallest bench that is one, run as a person runs it: one scenario, one contestant, one short round.

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { spawn } from '../../scripts/test/support/processes.ts'

const main = join(import.meta.dirname, '../main.ts')

function run(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { out: '', err: '' }
  child.stdout.on('data', (piece: Buffer) => {
    output.out += piece.toString()
  })
  child.stderr.on('data', (piece: Buffer) => {
    output.err += piece.toString()
  })
  return once(child, 'close').then(([code]) => ({ code, ...output }))
}

t.test('bench: one round of the bare proxy gives a table, a record and a page', async (t) => {
  const folder = t.testdir()
  const args = ['--scenario', 'single', '--contestant', 'bare-proxy', '--rounds', '1']
  const { code, out, err } = await run(
    ...args,
    '--seconds',
    '1',
    '--rate',
    '100',
    '--results',
    folder
  )
  t.equal(code, 0, err)
  t.match(out, /round 1, bare-proxy: \d+ requests\/s/)
  t.match(out, /contestant +requests\/s/)
  const files = readdirSync(folder).sort()
  t.match(files, [/\.html$/, /\.json$/])
  const { scenarios } = JSON.parse(readFileSync(join(folder, files[1] ?? ''), 'utf8'))
  t.equal(scenarios.length, 1)
  const [contestant] = scenarios[0].contestants
  t.match(contestant, { name: 'bare-proxy', rounds: [{ askedPerSecond: 100 }] })
  t.ok(contestant.rounds[0].requestsPerSecond > 0)
  t.ok(contestant.rounds[0].p99Us >= contestant.rounds[0].p50Us)
  t.match(readFileSync(join(folder, files[0] ?? ''), 'utf8'), /<\/html>/)
})

t.test('bench: a wrong command line says what is right, and measures nothing', async (t) => {
  const { code, out, err } = await run('--scenario', 'everything')
  t.equal(code, 2)
  t.equal(out, '')
  t.match(err, /there is no scenario called everything, only single, /)
  t.match(err, 'npm run bench -- [options]')
})

t.test('bench: --peers tells what is found, and what to install for the rest', async (t) => {
  const { code, out } = await run('--peers')
  t.equal(code, 0)
  for (const name of ['nginx-lua', 'nginx-limit-req', 'haproxy', 'caddy', 'sluice']) {
    t.match(out, new RegExp(`^${name} +(found|not installed \\(Debian: apt-get install )`, 'm'))
  }
})

t.test('bench: a commit that git does not know is told as that', async (t) => {
  const { code, err } = await run('--compare', 'no-such-branch')
  t.equal(code, 1)
  t.match(err, 'git knows no commit called no-such-branch: give a branch, a tag or a hash')
})
