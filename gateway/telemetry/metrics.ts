// What Prometheus reads, and the only importer of prom-client in the gateway. The threads count in shared memory; at
// scrape time this file adds up what they counted, on the main thread, and hands prom-client finished values: calling
// inc() for 10,000 series would block for more than a second.
import { collectDefaultMetrics, Registry } from 'prom-client'
import { droppedIndex, type Family, histogramWidth, latencyBoundsMs } from './counters.ts'

/** What a thread has told about one of its series. */
interface Series {
  readonly index: number
  readonly labels: readonly string[]
}

interface ThreadCounters {
  readonly values: Float64Array
  readonly series: Map<Family, Series[]>
}

interface Value {
  readonly labels: Record<string, string>
  readonly value: number
  readonly metricName?: string
}

interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labelNames: readonly string[]
  readonly family: Family
}

/** The first three are the series of the system that this one replaces, by its names. */
const counterMetrics: readonly Metric[] = [
  {
    name: 'requests_by_api_key',
    help: 'Requests by api key (its public id) and HTTP status; keys beyond METRICS_KEYS_MAX are _other.',
    type: 'counter',
    labelNames: ['api_key', 'org', 'org_id', 'chain', 'status'],
    family: 'requests_by_api_key'
  },
  {
    name: 'cache_hits',
    help: 'How api keys were resolved: hit, stale (served while refreshed), miss (looked up), negative (known to be unknown), refused (wrong form, not looked up).',
    type: 'counter',
    labelNames: ['state'],
    family: 'cache_hits'
  },
  {
    name: 'http_requests_total',
    help: 'Requests by HTTP status; 499 is a client that left before its answer.',
    type: 'counter',
    labelNames: ['status_code'],
    family: 'http_requests_total'
  },
  {
    name: 'sluice_gateway_rpc_requests_total',
    help: 'JSON-RPC calls of known keys, each item of a batch on its own. Methods that no upstream has answered yet are _other.',
    type: 'counter',
    labelNames: ['chain', 'method', 'outcome'],
    family: 'rpc_requests'
  },
  {
    name: 'sluice_gateway_upstream_requests_total',
    help: 'Requests sent to upstreams: ok, an HTTP class, repeated, client_gone, or the reason of the failure.',
    type: 'counter',
    labelNames: ['chain', 'upstream', 'result'],
    family: 'upstream_requests'
  },
  {
    name: 'sluice_gateway_failures_total',
    help: 'Requests refused as a whole, by reason.',
    type: 'counter',
    labelNames: ['reason'],
    family: 'failures'
  }
]

const durationName = 'sluice_gateway_rpc_duration_seconds'

/** A reading that the main thread gives when it is asked. */
export interface Reading {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly read: () => readonly {
    readonly labels: Record<string, string>
    readonly value: number
  }[]
}

const gaugeHelp: Readonly<Record<string, string>> = {
  sluice_gateway_key_cache_entries: 'Api keys in the cache of a thread.',
  sluice_gateway_exchanges: 'Requests under way on a thread.',
  sluice_gateway_event_loop_delay_p99_seconds:
    'Event loop delay of a thread in the last second, 99th percentile.',
  sluice_gateway_event_loop_delay_max_seconds: 'Event loop delay of a thread in the last second.'
}

export class Metrics {
  readonly #registry = new Registry()
  readonly #threads: ThreadCounters[] = []

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
    for (const metric of counterMetrics) this.#register(metric, () => this.#sums(metric))
    const histogram = { name: durationName, help: 'Time from a request to its answer.' }
    this.#register({ ...histogram, type: 'histogram' }, () => this.#histogram())
    for (const [name, help] of Object.entries(gaugeHelp)) {
      this.#register({ name, help, type: 'gauge' }, () => this.#gauge(name))
    }
    const dropped = {
      name: 'sluice_gateway_series_dropped_total',
      help: 'Counts that went to no series because a thread has no room for more.',
      type: 'counter' as const
    }
    this.#register(dropped, () => [{ labels: {}, value: this.#dropped() }])
  }

  addReading(reading: Reading): void {
    this.#register(reading, () => reading.read())
  }

  addThread(threadNumber: number, memory: SharedArrayBuffer): void {
    this.#threads[threadNumber] = { values: new Float64Array(memory), series: new Map() }
  }

  addSeries(threadNumber: number, index: number, family: Family, labels: readonly string[]): void {
    const thread = this.#threads[threadNumber]
    if (thread === undefined) return
    const known = thread.series.get(family)
    if (known === undefined) thread.series.set(family, [{ index, labels }])
    else known.push({ index, labels })
  }

  /** The thread has given up the series of these keys. */
  removeKeys(threadNumber: number, keyIds: ReadonlySet<string>): void {
    const series = this.#threads[threadNumber]?.series
    const kept = series
      ?.get('requests_by_api_key')
      ?.filter(({ labels: [id = ''] }) => !keyIds.has(id))
    if (kept !== undefined) series?.set('requests_by_api_key', kept)
  }

  /** The sum over threads of a gauge. */
  total(gaugeName: string): number {
    return this.#gauge(gaugeName).reduce((sum, { value }) => sum + value, 0)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async text(): Promise<string> {
    return await this.#registry.metrics()
  }

  #register(
    { name, help, type }: Pick<Metric, 'name' | 'help' | 'type'>,
    read: () => readonly Value[]
  ): void {
    // All that the registry asks of a metric is `get`; its typings want its own classes, which can only be counted up.
    const metric = { name, help, type, get: () => ({ name, help, type, values: read() }) }
    this.#registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0])
  }

  #sums({ family, labelNames }: Metric): Value[] {
    const sums = new Map<string, { labels: Record<string, string>; value: number }>()
    this.#each(family, (values, { index, labels }) => {
      const id = labels.join('\n')
      const known = sums.get(id)
      const value = values[index] ?? 0
      if (known !== undefined) known.value += value
      else sums.set(id, { labels: labelled(labelNames, labels), value })
    })
    return [...sums.values()].filter(({ value }) => value > 0)
  }

  #histogram(): Value[] {
    const sums = new Map<string, { labels: Record<string, string>; slots: Float64Array }>()
    this.#each('rpc_duration', (values, { index, labels }) => {
      const id = labels.join('\n')
      let sum = sums.get(id)
      if (sum === undefined) {
        sum = {
          labels: labelled(['chain', 'outcome'], labels),
          slots: new Float64Array(histogramWidth)
        }
        sums.set(id, sum)
      }
      for (let slot = 0; slot < histogramWidth; slot++) {
        sum.slots[slot] = (sum.slots[slot] ?? 0) + (values[index + slot] ?? 0)
      }
    })
    return [...sums.values()].flatMap(({ labels, slots }) => histogramValues(labels, slots))
  }

  #gauge(name: string): Value[] {
    const found: Value[] = []
    this.#each('gauge', (values, { index, labels }) => {
      const [gaugeName, thread = ''] = labels
      if (gaugeName === name) found.push({ labels: { thread }, value: values[index] ?? 0 })
    })
    return found
  }

  #dropped(): number {
    return this.#threads.reduce((sum, { values }) => sum + (values[droppedIndex] ?? 0), 0)
  }

  #each(family: Family, visit: (values: Float64Array, series: Series) => void): void {
    for (const { values, series } of this.#threads) {
      for (const one of series.get(family) ?? []) visit(values, one)
    }
  }
}

function labelled(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, place) => [name, values[place] ?? '']))
}

function histogramValues(labels: Record<string, string>, slots: Float64Array): Value[] {
  let count = 0
  const values: Value[] = []
  for (let bucket = 0; bucket <= latencyBoundsMs.length; bucket++) {
    count += slots[bucket] ?? 0
    const bound = latencyBoundsMs[bucket]
    const le = bound === undefined ? '+Inf' : String(bound / 1000)
    values.push({ metricName: `${durationName}_bucket`, labels: { ...labels, le }, value: count })
  }
  if (count === 0) return []
  const sum = slots[latencyBoundsMs.length + 1] ?? 0
  values.push({ metricName: `${durationName}_sum`, labels, value: sum })
  values.push({ metricName: `${durationName}_count`, labels, value: count })
  return values
}
