// One upstream of one thread: undici connections, bounded in number, in queue and in time. The upstream's URL, which
// usually holds a provider's key, stays inside its address (upstream-address.ts).
//
// `dispatch` with a hand-written handler costs about 60 % of undici's `request`. Each connection is an undici Client with
// one request at a time: pipelining is slower here, and one stalled answer would hold up all behind it. The free ones
// are a stack, where undici's Pool looks through all of them for every request: the last one used is used next, so that
// few connections carry a light load and the others may close. One org gets no more than a part of the connections and of
// the queue (fair-queue.ts).
import { type buildConnector, Client, type Dispatcher } from 'undici'
import { FairQueue, type Lane, maySpare, type QueuedCall } from './fair-queue.ts'
import { createLeanConnector } from './lean-socket.ts'
import { UpstreamAddress } from './upstream-address.ts'

export interface UpstreamLimits {
  readonly connectionsMax: number
  readonly queueMax: number
  readonly connectTimeoutMs: number
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

/** A request that the pool sends, and the undici handler of its answer. */
export interface UpstreamCall extends Dispatcher.DispatchHandler, QueuedCall {
  readonly request: UpstreamRequest
  /** The connection that carries it; set by the pool, null while it waits for one. */
  connection: Client | null
  /** The pool has closed before anything of the call was sent. */
  onUnsent(): void
}

export class UpstreamPool {
  readonly id: string
  readonly count: (result: string) => void
  readonly answerBytesMax: number
  readonly address: UpstreamAddress
  readonly #limits: UpstreamLimits
  readonly #origin: URL
  readonly #connect: buildConnector.connector
  /** For a client's request without a path of its own, as nearly all are. */
  readonly #rootTarget: string
  readonly #connections = new Set<Client>()
  readonly #free: Client[] = []
  readonly #waiting: FairQueue<UpstreamCall>
  #isClosing = false

  /** Throws when the URL cannot be used; the error does not repeat it. */
  constructor(id: string, url: string, limits: UpstreamLimits, count: (result: string) => void) {
    this.id = id
    this.count = count
    this.answerBytesMax = limits.answerBytesMax
    this.#limits = limits
    this.#waiting = new FairQueue(limits.queueMax)
    this.address = new UpstreamAddress(url)
    this.#origin = originOf(this.address)
    this.#connect = createLeanConnector({ allowH2: false, timeout: limits.connectTimeoutMs })
    this.#rootTarget = this.address.targetOf('/')
  }

  /** Whether one more call of this org would find neither a connection nor a place in the queue. */
  isFull(lane: Lane): boolean {
    return !maySpare(lane.carried, this.#spare) && !this.#waiting.hasPlaceFor(lane)
  }

  /** Sends a call. Every failure reaches its `onResponseError`. Call `release` when it is over. */
  dispatch(call: UpstreamCall): void {
    if (this.#isClosing) call.onUnsent()
    else if (maySpare(call.lane.carried, this.#spare)) this.#carry(call)
    else this.#waiting.add(call)
  }

  /** Sends the same call again, on a connection that nothing was ever sent on: another free one may be closing as well. */
  repeat(call: UpstreamCall): void {
    if (this.#isClosing) {
      this.release(call)
      call.onUnsent()
      return
    }
    if (call.connection !== null) this.#drop(call.connection)
    this.#send(this.#open(), call)
  }

  /** The call is over: its connection takes the next one. */
  release(call: UpstreamCall): void {
    const { connection } = call
    if (connection === null) return
    call.connection = null
    call.lane.carried--
    // A connection that was dropped takes nothing more.
    if (this.#connections.has(connection)) {
      if (this.#isClosing) this.#drop(connection)
      else this.#free.push(connection)
    }
    this.#carryWaiting()
  }

  /**
   * Nobody waits for the call any more, and nothing of it was sent: it leaves the queue, or the connection that is only
   * being made for it. undici can take it off a connection in no other way than by ending the connection.
   */
  giveUp(call: UpstreamCall): void {
    const { connection } = call
    if (connection === null) {
      this.#waiting.remove(call)
      return
    }
    this.#connections.delete(connection)
    void connection.destroy()
  }

  /**
   * Closes each connection when the call on it is over. The calls that wait are told that they were not sent: the
   * upstream was removed, or has another URL, and may be gone.
   */
  close(): void {
    this.#isClosing = true
    for (const connection of this.#free.splice(0)) this.#drop(connection)
    for (let call = this.#waiting.shift(); call !== null; call = this.#waiting.shift()) {
      call.onUnsent()
    }
  }

  /** Closes the connections now. */
  async destroy(): Promise<void> {
    await Promise.allSettled([...this.#connections].map((connection) => connection.destroy()))
  }

  /** Connections that carry nothing, made or not. */
  get #spare(): number {
    return this.#limits.connectionsMax - this.#connections.size + this.#free.length
  }

  #carry(call: UpstreamCall): void {
    call.lane.carried++
    this.#send(this.#free.pop() ?? this.#open(), call)
  }

  /** One that is released can be two orgs' turn: it also raises what the others may have. */
  #carryWaiting(): void {
    while (this.#waiting.size > 0) {
      const call = this.#waiting.take(this.#spare)
      if (call === null) return
      this.#carry(call)
    }
  }

  #open(): Client {
    const connection = this.#create()
    this.#connections.add(connection)
    return connection
  }

  #drop(connection: Client): void {
    this.#connections.delete(connection)
    void connection.close()
  }

  #create(): Client {
    const limits = this.#limits
    return new Client(this.#origin, {
      pipelining: 1,
      allowH2: false,
      connect: this.#connect,
      // Our own deadlines end what takes too long (deadlines.ts).
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: limits.keepAliveMs,
      keepAliveMaxTimeout: limits.keepAliveMs,
      maxHeaderSize: 32_768,
      maxResponseSize: limits.answerBytesMax
    })
  }

  #send(connection: Client, call: UpstreamCall): void {
    const { method, body, target } = call.request
    call.connection = connection
    const path = target === '/' ? this.#rootTarget : this.address.targetOf(target)
    const { authorization } = this.address
    const headers =
      authorization === null
        ? call.request.headers
        : [...call.request.headers, 'authorization', authorization]
    connection.dispatch({ path, method: method as Dispatcher.HttpMethod, headers, body }, call)
  }
}

/** undici reads both for every request, and a URL works them out each time. */
function originOf({ origin, isTls }: UpstreamAddress): URL {
  return Object.defineProperties(new URL(origin), {
    origin: { value: origin },
    protocol: { value: isTls ? 'https:' : 'http:' }
  })
}
