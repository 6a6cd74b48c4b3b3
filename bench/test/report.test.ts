// What the bench says of its figures.
import t from 'tap'
import type { Measurement } from '../load.ts'
import { figuresOf, type ScenarioResult, tableOf, verdictOf } from '../report.ts'

const measured = (cpuUsPerRequest: number | null): Measurement => ({
  requestsPerSecond: 10_000,
  p50Us: 1500,
  p99Us: 4200,
  cpuUsPerRequest,
  cpuUtilization: cpuUsPerRequest === null ? null : 0.97
})

function resultOf(sluice: (number | null)[], bare: (number | null)[]): ScenarioResult {
  return {
    scenario: {
      name: 'single',
      description: 'one call',
      connections: 64,
      requestBody: '{}',
      answerBytes: 45
    },
    rounds: new Map([
      ['bare-proxy', bare.map(measured)],
      ['sluice', sluice.map(measured)]
    ])
  }
}

const target = { scenario: 'single', contestant: 'sluice', against: 'bare-proxy', times: 1.15 }

t.test('report: a target is judged by the median of the ratios of the rounds', async (t) => {
  const steady = resultOf([22, 22, 22], [20, 20, 20])
  t.equal(
    verdictOf(target, [steady]),
    'target met: single, CPU per request of sluice is 1.10 (1.10–1.10) × bare-proxy (promised: under 1.15 ×)'
  )
  // In the noisy round both cost twice as much, which says nothing about either.
  t.match(verdictOf(target, [resultOf([22, 44, 22], [20, 40, 20])]), /^target met: .* 1\.10/)
  t.match(verdictOf(target, [resultOf([30, 22, 30], [20, 20, 20])]), /^target MISSED: .* 1\.50/)
  t.match(verdictOf(target, [resultOf([23], [20])]), /^target MISSED/, 'the bound itself is a miss')
})

t.test('report: a target that was not measured has no verdict', async (t) => {
  t.equal(verdictOf(target, []), null)
  t.equal(verdictOf({ ...target, against: 'nginx' }, [resultOf([22], [20])]), null)
  t.equal(verdictOf(target, [resultOf([null], [null])]), null, 'no processor time on this system')
})

t.test('report: the table shows each contestant with its cost and its ratio', async (t) => {
  const lines = tableOf(resultOf([22, 26, 24], [20, 20, 20]), 'bare-proxy').split('\n')
  t.match(lines[0], 'single: one call, 64 connections')
  t.match(
    lines[1],
    /contestant +requests\/s +p50 ms +p99 ms +CPU µs\/request +core busy +CPU ratio/
  )
  t.match(
    lines[3],
    /^ {2}sluice +10000 +1\.50 +4\.20 +24\.0 \(22\.0–26\.0\) +97 % +1\.20 \(1\.10–1\.30\)$/
  )
})

t.test('report: where processor time is not told, the table says so', async (t) => {
  const table = tableOf(resultOf([null], [null]), 'bare-proxy')
  t.match(table, /sluice +10000 +1\.50 +4\.20 +not told +not told/)
})

t.test('report: the file has medians and every round', async (t) => {
  t.match(figuresOf(resultOf([22, 26, 24], [20, 20, 20])), {
    contestants: [
      { name: 'bare-proxy', cpuUsPerRequest: { median: 20, min: 20, max: 20 } },
      {
        name: 'sluice',
        cpuUsPerRequest: { median: 24, min: 22, max: 26 },
        rounds: [{ cpuUsPerRequest: 22 }, { cpuUsPerRequest: 26 }, { cpuUsPerRequest: 24 }]
      }
    ]
  })
})
