// Keeps a stream of requests going over its connections, and counts what came back.
//
// In the open loop a request's time runs from the moment at which it fell due, not from when a connection was free to
// send it: a server that stalls is charged for every request that would have been sent meanwhile (Gil Tene's
// "coordinated omission"). autocannon 9 does not do that: its overallRate sends each second's requests one after the
// other as fast as they are answered, then pauses, and its correction assumes one request a millisecond at any rate.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { Connection } from './connection.ts'
import type { Stream, StreamResult } from './load.ts'

/** Reconnecting more often than that is a server that refuses to serve. */
const reconnectsMax = 1000

export class RequestStream {
  readonly #stream: Stream
  readonly #requests: readonly Buffer[]
  readonly #onFailure: (reason: string) => void
  readonly #idle: Connection[] = []
  readonly #all = new Set<Connection>()
  /** Open loop: when the next request falls due. */
  #dueMs = Number.POSITIVE_INFINITY
  readonly #intervalMs: number
  /** What falls due later is not sent. */
  #endMs = Number.POSITIVE_INFINITY
  #countFromMs = Number.POSITIVE_INFINITY
  #asked = 0
  #reconnects = 0
  #answers = 0
  #answersByStatus = new Map<number, number>()
  readonly #latenciesUs: RecordableHistogram = createHistogram()

  /** @param onFailure hears of everything that is not an expected answer. */
  constructor(stream: Stream, onFailure: (reason: string) => void) {
    this.#stream = stream
    this.#onFailure = onFailure
    this.#requests = stream.paths.map((path) => requestOf(path, stream.body))
    const { requestsPerSecond } = stream
    this.#intervalMs = requestsPerSecond === null ? 0 : 1000 / requestsPerSecond
  }

  get isOpenLoop(): boolean {
    return this.#stream.requestsPerSecond !== null
  }

  get hasAskedAll(): boolean {
    return this.#asked >= this.#requests.length
  }

  /** Nothing that fell due is without an answer. */
  get isSettled(): boolean {
    const hasSentAll = !this.isOpenLoop || this.#dueMs >= this.#endMs
    return hasSentAll && this.#idle.length === this.#all.size
  }

  start(nowMs: number): void {
    this.#dueMs = nowMs
    for (let count = 0; count < this.#stream.connections; count++) this.#connect(nowMs)
  }

  /** Open loop: sends what has fallen due, as far as there are idle connections. */
  sendDue(nowMs: number): void {
    while (this.#dueMs <= nowMs && this.#dueMs < this.#endMs) {
      const connection = this.#idle.pop()
      if (connection === undefined) return
      this.#ask(connection, this.#dueMs)
      this.#dueMs += this.#intervalMs
    }
  }

  /** Counts what is answered (closed loop) or falls due (open loop) from now on. */
  startCounting(nowMs: number): void {
    this.#countFromMs = nowMs
  }

  /** The closed loop stops where it is; the open loop still waits for what fell due, which `isSettled` tells. */
  end(nowMs: number): void {
    this.#endMs = nowMs
  }

  close(): void {
    for (const connection of this.#all) connection.close()
  }

  get result(): StreamResult {
    return {
      answers: this.#answers,
      answersByStatus: Object.fromEntries(this.#answersByStatus),
      latencyUs: {
        p50: this.#latenciesUs.percentile(50),
        p99: this.#latenciesUs.percentile(99)
      }
    }
  }

  #ask(connection: Connection, askedMs: number): void {
    connection.askedMs = askedMs
    connection.ask(this.#requests[this.#asked++ % this.#requests.length] as Buffer)
  }

  readonly #onAnswer = (connection: Connection, status: number): void => {
    const nowMs = performance.now()
    if (!this.#stream.statuses.includes(status)) this.#onFailure(`answered with ${status}`)
    const isCounted = this.isOpenLoop
      ? connection.askedMs >= this.#countFromMs
      : nowMs >= this.#countFromMs && nowMs < this.#endMs
    if (isCounted) this.#count(status, nowMs - connection.askedMs)
    this.#goOn(connection, nowMs)
  }

  readonly #onBroken = (connection: Connection, reason: string, isFault: boolean): void => {
    this.#all.delete(connection)
    const place = this.#idle.indexOf(connection)
    if (place >= 0) this.#idle.splice(place, 1)
    if (isFault || this.#reconnects++ > reconnectsMax) this.#onFailure(reason)
    else this.#connect(performance.now())
  }

  #connect(nowMs: number): void {
    const connection = new Connection(this.#stream.port, {
      onAnswer: this.#onAnswer,
      onBroken: this.#onBroken
    })
    this.#all.add(connection)
    this.#goOn(connection, nowMs)
  }

  #goOn(connection: Connection, nowMs: number): void {
    if (this.isOpenLoop) {
      this.#idle.push(connection)
      this.sendDue(nowMs)
    } else if (nowMs < this.#endMs) {
      this.#ask(connection, nowMs)
    } else {
      this.#idle.push(connection)
    }
  }

  #count(status: number, latencyMs: number): void {
    this.#answers++
    this.#answersByStatus.set(status, (this.#answersByStatus.get(status) ?? 0) + 1)
    this.#latenciesUs.record(Math.max(1, Math.round(latencyMs * 1000)))
  }
}

function requestOf(path: string, body: string): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}
