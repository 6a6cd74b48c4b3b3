// The names of all series, as Prometheus has them: counters end in _total and nothing else does. Two names are those of
// the system that this one replaces, and dashboards rely on them.
import t from 'tap'
import { Metrics } from '../telemetry/metrics.ts'

const inherited = ['requests_by_api_key', 'cache_hits']

t.test('counters end in _total, and nothing else does', async (t) => {
  const text = await new Metrics().text()
  const types = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name = '', type]) => [
    name,
    type
  ])
  // Prom-client names its own in its own way.
  const ours = types.filter(([name]) => !/^(process|nodejs)_/.test(name ?? ''))
  t.ok(ours.length > 8)
  for (const [name = '', type] of ours) {
    if (inherited.includes(name)) t.equal(type, 'counter', name)
    else t.equal(name.endsWith('_total'), type === 'counter', name)
  }
})
