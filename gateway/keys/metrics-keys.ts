// Which keys have metric series of their own: METRICS_KEYS_MAX of them, and the others are `_other`. Names of keys that
// were revoked, deleted or changed, and not asked for since, make room for others: once every thread has forgotten the
// key, its series are given up on all threads, and then the name.
import type { Clock } from '../clock.ts'

export interface MetricsKeysDeps {
  readonly clock: Pick<Clock, 'nowMs'>
  readonly keysMax: number
  /** How long a request can still count for a key that its thread has forgotten, milliseconds. */
  readonly graceMs: number
  /** Makes every thread give up the series of these keys. Resolves when all have. */
  readonly releaseSeries: (keyIds: ReadonlySet<string>) => Promise<void>
}

interface Name {
  readonly endpointId: string
  /** The reading of the change log at which the threads forgot the key; Infinity when one may know it. */
  forgottenAt: number
  forgottenMs: number
}

export class MetricsKeys {
  readonly #deps: MetricsKeysDeps
  readonly #names = new Map<string, Name>()
  #isReleasing = false

  constructor(deps: MetricsKeysDeps) {
    this.#deps = deps
  }

  /** The `api_key` label of a key: its own id, or `_other`. A key that opens nothing keeps a name, and gets none. */
  labelOf(keyId: string, endpointId: string, isRefused: boolean): string {
    const known = this.#names.get(keyId)
    if (known === undefined) {
      if (isRefused || this.#names.size >= this.#deps.keysMax) return '_other'
      this.#names.set(keyId, { endpointId, forgottenAt: Number.POSITIVE_INFINITY, forgottenMs: 0 })
    } else if (this.#isReleasing && known.forgottenAt < 0) {
      // Its series are being given up at this moment.
      return '_other'
    } else if (!isRefused) known.forgottenAt = Number.POSITIVE_INFINITY
    return keyId
  }

  /** The threads are being told to forget the keys of these endpoints. */
  forget(endpointIds: ReadonlySet<string> | 'all', reading: number): void {
    const nowMs = this.#deps.clock.nowMs()
    for (const name of this.#names.values()) {
      if (endpointIds !== 'all' && !endpointIds.has(name.endpointId)) continue
      if (name.forgottenAt !== Number.POSITIVE_INFINITY) continue
      name.forgottenAt = reading
      name.forgottenMs = nowMs
    }
  }

  /** Every thread has applied this reading: while the names are used up, gives up those that nobody asks for. */
  async hear(reading: number): Promise<void> {
    const { keysMax, clock, graceMs, releaseSeries } = this.#deps
    if (this.#isReleasing || this.#names.size < keysMax) return
    const latestMs = clock.nowMs() - graceMs
    const keyIds = new Set<string>()
    for (const [keyId, name] of this.#names) {
      if (name.forgottenAt > reading || name.forgottenMs > latestMs) continue
      name.forgottenAt = -1
      keyIds.add(keyId)
    }
    if (keyIds.size === 0) return
    this.#isReleasing = true
    await releaseSeries(keyIds)
    for (const keyId of keyIds) this.#names.delete(keyId)
    this.#isReleasing = false
  }
}
