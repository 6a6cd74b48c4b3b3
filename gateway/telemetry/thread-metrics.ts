// What a thread counts about its requests, by the names that settle uses. It turns labels into indexes of the shared
// counters and keeps those indexes where the next request finds them without building a string.
import type { Outcome, Reason } from '../errors.ts'
import type { CachedKey } from '../keys/cached-key.ts'
import type { CacheState } from '../keys/key-cache.ts'
import { bucketOf, type Counters, histogramWidth, latencyBoundsMs, outcomes } from './counters.ts'

/** The counters of one chain on this thread. */
export interface ChainMetrics {
  countCall(method: string, outcome: Outcome): void
  observe(outcome: Outcome, latencyMs: number): void
}

export class ThreadMetrics {
  readonly #counters: Counters
  readonly #byStatus = new Map<number, number>()
  readonly #byLabel = new Map<string, number>()

  constructor(counters: Counters) {
    this.#counters = counters
  }

  countStatus(status: number): void {
    let index = this.#byStatus.get(status)
    if (index === undefined) {
      index = this.#counters.indexOf('http_requests_total', [String(status)])
      this.#byStatus.set(status, index)
    }
    this.#counters.add(index)
  }

  countCacheState(state: CacheState): void {
    this.#counters.add(this.#labelled('cache_hits', state))
  }

  countFailure(reason: Reason | string): void {
    this.#counters.add(this.#labelled('failures', reason))
  }

  countKey(key: CachedKey, chainName: string, status: number): void {
    if (key.counterEpoch !== this.#counters.epoch) {
      key.counterByStatus.clear()
      key.counterEpoch = this.#counters.epoch
    }
    let index = key.counterByStatus.get(status)
    if (index === undefined) {
      const { metricsKey, orgName, orgId } = key.record
      const org = metricsKey === '_other' ? ['_other', '_other'] : [orgName, orgId]
      const labels = [metricsKey, ...org, chainName, String(status)]
      index = this.#counters.indexOf('requests_by_api_key', labels)
      key.counterByStatus.set(status, index)
    }
    this.#counters.add(index)
  }

  /** Counters of the requests to one upstream, by result (`ok`, an HTTP class such as `5xx`, or a failure's reason). */
  forUpstream(chainName: string, upstreamId: string): (result: string) => void {
    const indexes = new Map<string, number>()
    return (result) => {
      let index = indexes.get(result)
      if (index === undefined) {
        index = this.#counters.indexOf('upstream_requests', [chainName, upstreamId, result])
        indexes.set(result, index)
      }
      this.#counters.add(index)
    }
  }

  forChain(chainName: string): ChainMetrics {
    const counters = this.#counters
    const durations = new Map(
      outcomes.map((outcome) => [
        outcome,
        counters.indexOf('rpc_duration', [chainName, outcome], histogramWidth)
      ])
    )
    const byMethod = new Map<string, Record<Outcome, number>>()
    return {
      countCall(method, outcome) {
        let indexes = byMethod.get(method)
        if (indexes === undefined) {
          const entries = outcomes.map((one) => [
            one,
            counters.indexOf('rpc_requests', [chainName, method, one])
          ])
          indexes = Object.fromEntries(entries) as Record<Outcome, number>
          byMethod.set(method, indexes)
        }
        counters.add(indexes[outcome])
      },
      observe(outcome, latencyMs) {
        const first = durations.get(outcome) ?? 0
        if (first === 0) return
        counters.add(first + bucketOf(latencyMs))
        counters.add(first + latencyBoundsMs.length + 1, latencyMs / 1000)
      }
    }
  }

  gauge(name: string, threadNumber: number): (value: number) => void {
    const index = this.#counters.indexOf('gauge', [name, String(threadNumber)])
    return (value) => this.#counters.set(index, value)
  }

  #labelled(family: 'cache_hits' | 'failures', label: string): number {
    let index = this.#byLabel.get(label)
    if (index === undefined) {
      index = this.#counters.indexOf(family, [label])
      this.#byLabel.set(label, index)
    }
    return index
  }
}
