// One upstream of one thread: undici connections, bounded in number, in queue and in time. It guarantees that the
// upstream's URL, which usually holds a provider's key, stays inside this file.
//
// `dispatch` with a hand-written handler costs about 60 % of undici's `request`. pipelining is 1: more is slower here,
// and one stalled answer would hold up all behind it.
import { type Dispatcher, Pool } from 'undici'

export interface UpstreamLimits {
  readonly connectionsMax: number
  readonly queueMax: number
  readonly connectTimeoutMs: number
  /** To the head of the answer, and between two pieces of its body. */
  readonly timeoutMs: number
  readonly keepAliveMs: number
  readonly answerBytesMax: number
}

/** Names in lower case; an array where a name occurred more than once. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>

export interface UpstreamRequest {
  readonly method: string
  /** `/path?query` of the client's request, or `/`. */
  readonly target: string
  /** Flat: name, value, name, value. */
  readonly headers: string[]
  readonly body: Buffer | null
}

export class UpstreamPool {
  readonly id: string
  readonly count: (result: string) => void
  readonly #limits: UpstreamLimits
  readonly #origin: string
  readonly #basePath: string
  readonly #baseQuery: string
  readonly #pool: Pool
  #freshPool: Pool | null = null
  #underWay = 0

  /** Throws when the URL is not http(s); the error does not repeat it. */
  constructor(id: string, url: string, limits: UpstreamLimits, count: (result: string) => void) {
    // Not by new URL alone: its error carries the URL, and errors are logged.
    if (!URL.canParse(url)) throw new Error('the URL of the upstream is not valid')
    const { origin, pathname, search, protocol } = new URL(url)
    if (protocol !== 'http:' && protocol !== 'https:')
      throw new Error('an upstream is http or https')
    this.id = id
    this.count = count
    this.#limits = limits
    this.#origin = origin
    this.#basePath = pathname.replace(/\/$/, '')
    this.#baseQuery = search.slice(1)
    this.#pool = createPool(origin, limits)
  }

  get answerBytesMax(): number {
    return this.#limits.answerBytesMax
  }

  /** Whether one more request would find neither a connection nor a place in the queue. */
  get isFull(): boolean {
    return this.#underWay >= this.#limits.connectionsMax + this.#limits.queueMax
  }

  /** Sends a request. Every failure reaches `handler.onResponseError`. Call `release` when it is over. */
  dispatch(request: UpstreamRequest, handler: Dispatcher.DispatchHandler): void {
    this.#underWay++
    this.#send(this.#pool, request, handler)
  }

  /** Sends the same request again, on a socket that nothing was ever sent on: an idle one may be closing as well. */
  repeat(request: UpstreamRequest, handler: Dispatcher.DispatchHandler): void {
    this.#freshPool ??= createPool(this.#origin, this.#limits, { maxRequestsPerClient: 1 })
    this.#send(this.#freshPool, request, handler)
  }

  release(): void {
    this.#underWay--
  }

  /** Lets requests under way finish, then closes the connections. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#pool.close(), this.#freshPool?.close()])
  }

  /** Closes the connections now. */
  async destroy(): Promise<void> {
    await Promise.allSettled([this.#pool.destroy(), this.#freshPool?.destroy()])
  }

  #send(pool: Pool, request: UpstreamRequest, handler: Dispatcher.DispatchHandler): void {
    const { method, headers, body, target } = request
    const path = this.#pathOf(target)
    pool.dispatch({ path, method: method as Dispatcher.HttpMethod, headers, body }, handler)
  }

  /** The upstream's own path, then the client's; both queries. */
  #pathOf(target: string): string {
    if (target === '/') {
      const path = this.#basePath === '' ? '/' : this.#basePath
      return this.#baseQuery === '' ? path : `${path}?${this.#baseQuery}`
    }
    const path = this.#basePath + target
    if (this.#baseQuery === '') return path
    return `${path}${target.includes('?') ? '&' : '?'}${this.#baseQuery}`
  }
}

function createPool(origin: string, limits: UpstreamLimits, more: Pool.Options = {}): Pool {
  return new Pool(origin, {
    connections: limits.connectionsMax,
    pipelining: 1,
    allowH2: false,
    connectTimeout: limits.connectTimeoutMs,
    headersTimeout: limits.timeoutMs,
    bodyTimeout: limits.timeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    keepAliveMaxTimeout: limits.keepAliveMs,
    maxHeaderSize: 32_768,
    maxResponseSize: limits.answerBytesMax,
    ...more
  })
}
