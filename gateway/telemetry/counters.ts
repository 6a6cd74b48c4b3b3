// What a hot thread counts with: a typed array in shared memory that this thread alone writes and the main thread reads
// at scrape time. One addition costs about a nanosecond; prom-client's 375–900 ns per call stay off the hot path.
//
// A series (a metric with its labels) gets an index when it first occurs, and the main thread is told once what that
// index means. When the array is full, further series share index 0, which the scrape reports as dropped.
import type { Outcome } from '../errors.ts'

/** Series that a thread can have. 8 bytes each. */
export const seriesMax = 131_072
export const droppedIndex = 0

/** Upper bounds of the latency histogram, milliseconds: the same as those of the usage tables. */
export const latencyBoundsMs = [
  0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 256, 362, 512, 724,
  1024, 2048, 4096, 8192
] as const

export type Family =
  | 'requests_by_api_key'
  | 'cache_hits'
  | 'http_requests_total'
  | 'rpc_requests'
  | 'rpc_duration'
  | 'upstream_requests'
  | 'failures'
  | 'gauge'

export type Announce = (index: number, family: Family, labels: readonly string[]) => void

export function createCounterMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(seriesMax * 8)
}

export class Counters {
  readonly #values: Float64Array
  readonly #announce: Announce
  readonly #indexes = new Map<string, number>()
  #next = droppedIndex + 1
  /** Indexes that can be used again, and those that the main thread has not yet heard of that they can. */
  #free: number[] = []
  #released: number[] = []
  /** Counts the releases: an index that was kept from before one must be asked for again. */
  epoch = 0

  constructor(memory: SharedArrayBuffer, announce: Announce) {
    this.#values = new Float64Array(memory)
    this.#announce = announce
  }

  /** The index of a series; the same labels always get the same one. Keep it where it is used often. */
  indexOf(family: Family, labels: readonly string[], width = 1): number {
    const name = `${family}\n${labels.join('\n')}`
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    const free = width === 1 ? this.#free.pop() : undefined
    if (free === undefined && this.#next + width > seriesMax) return droppedIndex
    const index = free ?? this.#next
    if (free === undefined) this.#next += width
    this.#indexes.set(name, index)
    this.#announce(index, family, labels)
    return index
  }

  /**
   * Gives up the series of a family whose first label is one of these. Their indexes are used again only after the next
   * release: by then the main thread has taken note of this one, so it never reads another series' count under the old name.
   */
  release(family: Family, firstLabels: ReadonlySet<string>): void {
    this.#free.push(...this.#released)
    this.#released = []
    this.epoch++
    const prefix = `${family}\n`
    for (const [name, index] of this.#indexes) {
      if (!name.startsWith(prefix)) continue
      const end = name.indexOf('\n', prefix.length)
      if (!firstLabels.has(name.slice(prefix.length, end < 0 ? undefined : end))) continue
      this.#indexes.delete(name)
      this.#values[index] = 0
      if (index !== droppedIndex) this.#released.push(index)
    }
  }

  add(index: number, amount = 1): void {
    this.#values[index] = (this.#values[index] ?? 0) + amount
  }

  set(index: number, value: number): void {
    this.#values[index] = value
  }
}

/** A histogram's series is one slot for each bucket, one for +Inf and one for the sum. */
export const histogramWidth = latencyBoundsMs.length + 2

/** The bucket of a latency: a binary search over 26 bounds, about 10 ns. */
export function bucketOf(latencyMs: number): number {
  let low = 0
  let high: number = latencyBoundsMs.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (latencyMs <= (latencyBoundsMs[middle] ?? Infinity)) high = middle
    else low = middle + 1
  }
  return low
}

export const outcomes: readonly Outcome[] = ['ok', 'client_error', 'rate_limited', 'upstream_error']
