// The chains that this thread serves: what a key's chain id leads to. Kept in step with the database by messages from
// the main thread; connections to an upstream that did not change survive the change of another.
import { createMethodNames, type MethodNames } from '../rpc/method-names.ts'
import { createWeights, type Weights } from '../rpc/weights.ts'
import type { ChainMetrics, ThreadMetrics } from '../telemetry/thread-metrics.ts'
import type { ChainRecord } from '../threads.ts'
import { type UpstreamLimits, UpstreamPool } from './pool.ts'

export interface Chain {
  readonly name: string
  readonly kind: ChainRecord['kind']
  readonly weights: Weights
  readonly methodNames: Pick<MethodNames, 'nameOf' | 'isNews'>
  /** The node has answered this method with a result. */
  readonly learn: (method: string) => void
  readonly metrics: ChainMetrics
  /** The upstreams that can be asked, in order. */
  readonly upstreams: readonly UpstreamPool[]
  /** There is newer knowledge of the chains: look it up again. */
  isReplaced: boolean
}

export interface ChainsDeps {
  readonly limits: UpstreamLimits
  readonly metrics: ThreadMetrics
  /** A node has answered this method for the first time on this thread. */
  readonly onMethodLearned: (chainId: string, method: string) => void
  /** A chain or an upstream of this id cannot be used, and why: it is left out, the others serve. */
  readonly onUnusable: (id: string, error: unknown) => void
}

interface OpenPool {
  readonly url: string
  readonly chainName: string
  readonly pool: UpstreamPool
}

export class Chains {
  readonly #deps: ChainsDeps
  #byId = new Map<string, Chain>()
  #pools = new Map<string, OpenPool>()
  readonly #methodNames = new Map<string, MethodNames>()

  constructor(deps: ChainsDeps) {
    this.#deps = deps
  }

  get(chainId: string): Chain | undefined {
    return this.#byId.get(chainId)
  }

  replace(records: readonly ChainRecord[]): void {
    const before = this.#pools
    for (const chain of this.#byId.values()) chain.isReplaced = true
    this.#pools = new Map()
    this.#byId = new Map(records.flatMap((record) => this.#entryOf(record, before)))
    // What was learned for a chain that is gone would be kept for ever.
    for (const id of this.#methodNames.keys()) if (!this.#byId.has(id)) this.#methodNames.delete(id)
    for (const [id, { pool }] of before) {
      if (this.#pools.get(id)?.pool !== pool) pool.close()
    }
  }

  /** Another thread has learned it. */
  learn(chainId: string, method: string): void {
    this.#methodNames.get(chainId)?.learn(method)
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy()))
  }

  #entryOf(record: ChainRecord, before: ReadonlyMap<string, OpenPool>): [string, Chain][] {
    try {
      return [[record.id, this.#chainOf(record, before)]]
    } catch (error) {
      this.#deps.onUnusable(record.id, error)
      return []
    }
  }

  #chainOf(record: ChainRecord, before: ReadonlyMap<string, OpenPool>): Chain {
    const { id, name, kind, methodWeights, upstreams } = record
    const methodNames = this.#namesOf(id)
    for (const method of Object.keys(methodWeights)) methodNames.vouch(method)
    return {
      name,
      kind,
      methodNames,
      learn: (method) => {
        if (methodNames.learn(method)) this.#deps.onMethodLearned(id, method)
      },
      weights: createWeights(methodWeights),
      metrics: this.#deps.metrics.forChain(name),
      upstreams: upstreams.flatMap((upstream) => this.#poolOf(name, upstream, before)),
      isReplaced: false
    }
  }

  #namesOf(chainId: string): MethodNames {
    const known = this.#methodNames.get(chainId)
    if (known !== undefined) return known
    const names = createMethodNames()
    this.#methodNames.set(chainId, names)
    return names
  }

  #poolOf(
    chainName: string,
    { id, url }: ChainRecord['upstreams'][number],
    before: ReadonlyMap<string, OpenPool>
  ): UpstreamPool[] {
    const known = before.get(id)
    if (known?.url === url && known.chainName === chainName) {
      this.#pools.set(id, known)
      return [known.pool]
    }
    try {
      const { limits, metrics } = this.#deps
      const pool = new UpstreamPool(id, url, limits, metrics.forUpstream(chainName, id))
      this.#pools.set(id, { url, chainName, pool })
      return [pool]
    } catch (error) {
      this.#deps.onUnusable(id, error)
      return []
    }
  }
}
