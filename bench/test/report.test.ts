// What the bench says of its figures.
import t from 'tap'
import { comparisonOf, verdictOf } from '../compare.ts'
import type { Machine } from '../machine.ts'
import { pageOf } from '../report/page.ts'
import { type Report, recordOf } from '../report/record.ts'
import { tableOf } from '../report/table.ts'
import type { ScenarioResult } from '../rounds.ts'
import { judge, sentenceOf } from '../targets.ts'
import { resultOf } from './support/figures.ts'

const machine: Machine = {
  processor: 'Tester <x86> & "co"',
  cores: 2,
  memoryGb: 8,
  system: 'Linux 6',
  node: 'v22.0.0',
  versions: { undici: '8' },
  commit: 'abcdef',
  loadAverage: 0,
  unpinnedBecause: null
}
const reportOf = (results: readonly ScenarioResult[]): Report => ({
  finishedAt: new Date('2026-11-23T12:00:00Z'),
  command: 'npm run bench -- --scenario single',
  machine,
  rounds: 3,
  measuredSeconds: 2,
  contestants: [
    { name: 'sluice', description: 'ours', version: null },
    { name: 'haproxy', description: 'theirs', version: '2.6 <test>' }
  ],
  results,
  verdicts: judge(results),
  base: 'sluice'
})
const single = resultOf('single', { sluice: [22, 26, 24], haproxy: [20, 20, 20] })

t.test('table: each contestant with its cost and its ratio, and who took no part', async (t) => {
  const lines = tableOf(single, 'haproxy').split('\n')
  t.match(lines[0], 'single: one call, 63 B up, 45 B down; 64 connections')
  t.match(lines[1], /contestant +requests\/s +CPU µs\/request +cores +at req\/s +p50 ms +p99 ms/)
  t.match(lines[2], /^ {2}sluice +10,000 +24\.0 \(22\.0–26\.0\) +0\.97 +5,000 +1\.50 +4\.20 +0\.90/)
  t.match(lines[2], /1\.20 \(1\.10–1\.30\)$/)
  t.equal(lines[4], '  caddy: has no keys')
})

t.test('table: where processor time is not told, it says so', async (t) => {
  t.match(tableOf(resultOf('single', { sluice: [null] }), 'sluice'), /sluice +10,000 +not told/)
})

t.test('record: medians and every round, as JSON', async (t) => {
  const record = JSON.parse(JSON.stringify(recordOf(reportOf([single]))))
  t.match(record, {
    finishedAt: '2026-11-23T12:00:00.000Z',
    machine: { processor: machine.processor },
    scenarios: [
      {
        name: 'single',
        contestants: [
          {
            name: 'sluice',
            cpuUsPerRequest: { median: 24, min: 22, max: 26 },
            rounds: [{ cpuUsPerRequest: 22 }, { cpuUsPerRequest: 26 }, { cpuUsPerRequest: 24 }]
          },
          { name: 'haproxy' }
        ]
      }
    ]
  })
})

t.test('targets: a ratio is judged by the median of the rounds', async (t) => {
  const sentences = (ours: number[], theirs: number[]) =>
    judge([resultOf('single', { sluice: ours, 'nginx-lua': theirs })]).map(sentenceOf)
  t.match(
    sentences([18, 18, 18], [20, 20, 20])[0],
    'met: a call costs at most what it costs nginx with Lua, for the same job: 0.90 × (0.90–0.90; promised at most 1.00)'
  )
  // In the noisy round both cost twice as much, which says nothing about either.
  t.match(sentences([18, 36, 18], [20, 40, 20])[0], /^met: .* 0\.90/)
  t.match(sentences([30, 18, 30], [20, 20, 20])[0], /^MISSED: .* 1\.50/)
})

t.test('targets: a constant cost may be neither higher nor lower', async (t) => {
  const at512 = (cpu: number) =>
    judge([resultOf('single', { sluice: [20] }), resultOf('connections-512', { sluice: [cpu] })])
      .filter(({ target }) => target.promise.startsWith('512'))
      .map(({ isMet }) => isMet)
  t.same([at512(21), at512(17), at512(23)], [[true], [false], [false]])
})

t.test('targets: what was not measured has no verdict', async (t) => {
  t.same(judge([]), [])
  t.same(judge([resultOf('limited', { sluice: [5] })]), [], 'a ratio needs both')
  const untold = judge([resultOf('single', { sluice: [null], 'nginx-lua': [null] })])
  t.ok(untold.every(({ target }) => target.figure !== 'cpuUsPerRequest'))
})

t.test('page: it is whole, with charts, and asks nothing of any other place', async (t) => {
  const many = resultOf('connections-512', { sluice: [21, 22, 23], haproxy: [20, 21, 22] })
  const page = pageOf(reportOf([single, many]))
  t.match(page, /^<!doctype html>[\s\S]*<\/html>\n$/)
  t.ok((page.match(/<svg /g) ?? []).length >= 4, 'bars for each scenario and a line')
  t.equal(page.match(/<svg /g)?.length, page.match(/<\/svg>/g)?.length)
  t.match(page, 'Over the number of connections')
  t.match(page, 'prefers-color-scheme: dark')
  t.notMatch(page, /https?:|\bsrc=|\bhref=|url\(|@import|<script|<link/i)
  t.notMatch(page, /undefined|NaN|\[object/)
})

t.test('page: words that are not ours cannot break it', async (t) => {
  const page = pageOf(reportOf([single]))
  t.match(page, 'Tester &lt;x86> &amp; &quot;co&quot;')
  t.match(page, '2.6 &lt;test>')
  t.notMatch(page, '<x86>')
})

t.test('comparison: a difference that noise can make is none', async (t) => {
  t.equal(verdictOf({ ratio: 0.97, low: 0.9, high: 1.02 }, true), 'no difference beyond noise')
  t.equal(verdictOf({ ratio: 0.9, low: 0.88, high: 0.93 }, true), 'better by 10.0 %')
  t.equal(verdictOf({ ratio: 0.9, low: 0.88, high: 0.93 }, false), 'WORSE by 10.0 %')
  t.equal(verdictOf({ ratio: 1.2, low: 1.1, high: 1.3 }, true), 'WORSE by 20.0 %')
})

t.test('comparison: one line for each figure that both have', async (t) => {
  const ours = [18, 18.2, 17.9, 18.1]
  const result = resultOf('single', { sluice: ours, abcdef: ours.map((us) => us * 1.25) })
  const lines = comparisonOf(result, 'sluice', 'abcdef').split('\n')
  t.equal(lines[0], 'single: sluice over abcdef')
  t.match(lines[2], /CPU per request +0\.800 +0\.800–0\.800 +better by 20\.0 %/)
  t.match(lines[3], /requests\/s +1\.000 +1\.000–1\.000 +no difference beyond noise/)
})
