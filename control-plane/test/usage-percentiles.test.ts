// Percentiles out of buckets are within 8 % of the exact ones, whatever the latencies look like, from the table to the API.
import t from 'tap'
import { percentileMs } from '../analytics/percentile.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'
import { histogramOf, recordCalls } from './support/usage.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)

const samples = 20_000
const shares = { p50_ms: 0.5, p95_ms: 0.95, p99_ms: 0.99 }

/** Mulberry32: the same numbers in every run. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Latencies around a scale, in milliseconds. */
const shapes: Record<string, (random: () => number, scale: number) => number> = {
  exponential: (random, scale) => -scale * Math.log(1 - random()),
  bimodal: (random, scale) => (random() < 0.8 ? 1 : 15) * scale * Math.exp(0.3 * normal(random)),
  log_normal: (random, scale) => scale * Math.exp(0.9 * normal(random)),
  uniform: (random, scale) => scale * (0.02 + 2 * random())
}

function draw(shape: string, scale: number): number[] {
  const random = randomOf(1)
  const next = shapes[shape] ?? never
  return Array.from({ length: samples }, () => next(random, scale))
}

function never(): never {
  throw new Error('there is no such shape')
}

function exactly(latenciesMs: readonly number[], share: number): number {
  const sorted = latenciesMs.toSorted((one, other) => one - other)
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
}

for (const shape of Object.keys(shapes)) {
  t.test(`${shape} latencies, wherever they lie between the bounds of buckets`, async (t) => {
    const worst = { share: 0, scale: 0, error: 0 }
    // Steps of a fifth of a bucket, over three doublings.
    for (let scale = 4; scale < 32; scale *= 2 ** (1 / 10)) {
      const latenciesMs = draw(shape, scale)
      const buckets = histogramOf(latenciesMs)
      for (const share of Object.values(shares)) {
        const exact = exactly(latenciesMs, share)
        const error = Math.abs((percentileMs(buckets, share) ?? 0) - exact) / exact
        if (error > worst.error) Object.assign(worst, { share, scale, error })
      }
    }
    t.ok(worst.error < 0.08, `at most ${(worst.error * 100).toFixed(1)} % off`)
  })
}

t.test('four shapes of latency, asked of the API', async (t) => {
  const at = plane.clock()
  const drawn = Object.keys(shapes).map((method) => ({ method, latenciesMs: draw(method, 20) }))
  await recordCalls(
    plane.database,
    drawn.map(({ method, latenciesMs }) => ({
      orgId: ann.orgId,
      endpointId: endpoint.id,
      chainId: 'chn_one',
      keyId: endpoint.keys[0].id,
      at,
      method,
      ok: samples,
      latenciesMs
    }))
  )
  const { body } = await ann.get(`${endpoint.path}/usage?group_by=method&step=1d`)
  for (const { method, latenciesMs } of drawn) {
    const point = body.data.find((one: { method: string }) => one.method === method)
    for (const [name, share] of Object.entries(shares)) {
      const exact = exactly(latenciesMs, share)
      const error = Math.abs(point[name] - exact) / exact
      t.ok(error < 0.08, `${method} ${name}: ${point[name]}, ${(error * 100).toFixed(1)} % off`)
    }
  }
})

t.test('percentiles of few calls, of none, and beyond the last bound', async (t) => {
  t.equal(percentileMs(histogramOf([]), 0.5), null)
  t.equal(percentileMs([], 0.99), null)
  t.equal(percentileMs(histogramOf([20_000]), 0.5), 8192, 'no more is known than the bound')
  const one = percentileMs(histogramOf([3]), 0.99) ?? 0
  t.ok(one > 2.8 && one <= 4, 'in the bucket of the one call')
  t.ok((percentileMs(histogramOf([3, 300]), 0.5) ?? 0) <= 4, 'half of the calls are not above')
})
