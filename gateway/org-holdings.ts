// What one org holds of a thread's bounded goods: requests under way, bytes of their bodies and of their answers,
// connections and places in the queues of upstreams. Each of these is shared by all tenants, and an org's own part of it is limited. The object
// is found once, when a key is cached, so that a request pays for it with a property.
//
// The shares follow one rule everywhere (the "dynamic threshold" of shared switch buffers, Choudhury and Hahne 1998): an
// org may hold at most a fixed multiple of what is still free. A lone org gets most of it, several get less each, and
// however many take all they can, something is left for an org that comes later.
import { Lane } from './upstreams/fair-queue.ts'

/** What a byte account has given to one holder. */
export class Holding {
  bytes = 0
}

export class OrgHoldings {
  /** Requests under way. */
  exchanges = 0
  readonly bodies = new Holding()
  readonly answers = new Holding()
  #upstream: object | null = null
  #lane: Lane | null = null
  #lanes: WeakMap<object, Lane> | null = null

  /** The org's place at one upstream. The last one is kept at hand: most orgs use one chain. */
  laneOf(upstream: object): Lane {
    if (this.#upstream === upstream && this.#lane !== null) return this.#lane
    this.#lanes ??= new WeakMap()
    let lane = this.#lanes.get(upstream)
    if (lane === undefined) {
      lane = new Lane()
      this.#lanes.set(upstream, lane)
    }
    this.#upstream = upstream
    this.#lane = lane
    return lane
  }
}

/**
 * The holdings of every org of the thread. An org whose keys are cached anew, because something about them has changed,
 * must find what it holds already: otherwise each change would give it another share. What nobody refers to any more
 * holds nothing, and the collector takes it.
 */
export class OrgHoldingsIndex {
  readonly #byOrg = new Map<string, WeakRef<OrgHoldings>>()
  readonly #collected = new FinalizationRegistry<string>((orgId) => {
    if (this.#byOrg.get(orgId)?.deref() === undefined) this.#byOrg.delete(orgId)
  })

  get size(): number {
    return this.#byOrg.size
  }

  of(orgId: string): OrgHoldings {
    const known = this.#byOrg.get(orgId)?.deref()
    if (known !== undefined) return known
    const holdings = new OrgHoldings()
    this.#byOrg.set(orgId, new WeakRef(holdings))
    this.#collected.register(holdings, orgId)
    return holdings
  }
}
