// Sends the calls to an upstream and hands its answer on. The answer to a request is repeated nowhere but here, at most
// once, and only where that is provably safe: no byte of an answer has come, every call may be repeated without effect,
// and the retry budget has room. (0.15–0.2 % of requests meet an upstream that is just closing an idle connection.)
import type { Dispatcher } from 'undici'
import type { Failure, Failures } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { withoutCalls } from '../rpc/batch.ts'
import { isRepeatable } from '../rpc/repeatable.ts'
import type { Chains } from '../upstreams/chains.ts'
import type { Lane, QueuedCall } from '../upstreams/fair-queue.ts'
import type {
  AnswerHeaders,
  UpstreamCall,
  UpstreamPool,
  UpstreamRequest
} from '../upstreams/pool.ts'
import type { RetryBudget } from '../upstreams/retry-budget.ts'

/** Where the answer goes, as it comes. */
export interface AnswerSink {
  head(exchange: Exchange, status: number, headers: AnswerHeaders): void
  /** `piece` is never written again, but may hold up to four times its size (upstreams/read-memory.ts). */
  piece(exchange: Exchange, piece: Buffer): void
  end(exchange: Exchange): void
  fail(exchange: Exchange, failure: Failure, cause: unknown): void
}

export interface DispatchDeps {
  readonly failures: Failures
  readonly retryBudget: RetryBudget
  readonly chains: Pick<Chains, 'get'>
}

/** Returns a failure that is known at once; otherwise the sink hears how it went. */
export type Dispatch = (exchange: Exchange, sink: AnswerSink) => Failure | null

export function createDispatch(deps: DispatchDeps): Dispatch {
  return function dispatch(exchange, sink) {
    const failure = choose(deps.failures, exchange)
    if (failure !== null) return failure
    deps.retryBudget.deposit()
    new ExchangeCall(deps, exchange, sink).place()
    return null
  }
}

/** Ends a call for which nobody waits any more, wherever it is. */
export function cancelCall({ call, controller }: Exchange, cause: Error): void {
  if (controller !== null) controller.abort(cause)
  else call?.giveUp()
}

/** Sets the upstream of the exchange, if it takes one more call of the org. */
function choose(failures: Failures, exchange: Exchange): Failure | null {
  const upstream = exchange.chain?.upstreams[0]
  if (upstream === undefined) return failures.upstream_unavailable
  exchange.upstream = upstream
  return upstream.isFull(laneOf(exchange, upstream)) ? failures.overloaded : null
}

function laneOf({ key }: Exchange, upstream: UpstreamPool): Lane {
  if (key === null) throw new Error('a call without a key has come to dispatch')
  return key.holdings.laneOf(upstream)
}

/** One request at an upstream, as undici sees it. */
class ExchangeCall implements UpstreamCall {
  readonly request: UpstreamRequest
  connection: UpstreamCall['connection'] = null
  lane: Lane
  isWaiting = false
  older: QueuedCall | null = null
  newer: QueuedCall | null = null
  readonly #deps: DispatchDeps
  readonly #exchange: Exchange
  #upstream: UpstreamPool
  readonly #sink: AnswerSink
  #status = 0

  constructor(deps: DispatchDeps, exchange: Exchange, sink: AnswerSink) {
    this.request = requestOf(exchange)
    this.#deps = deps
    this.#exchange = exchange
    this.#upstream = exchange.upstream as UpstreamPool
    this.lane = laneOf(exchange, this.#upstream)
    this.#sink = sink
    exchange.call = this
  }

  place(): void {
    this.#upstream.dispatch(this)
  }

  giveUp(): void {
    this.#upstream.giveUp(this)
  }

  /** The upstream was removed or has moved: the call goes where its chain leads now. */
  onUnsent(): void {
    const exchange = this.#exchange
    if (exchange.isOver) return
    const { failures, chains } = this.#deps
    const closed = this.#upstream
    exchange.chain = chains.get(exchange.key?.record.chainId ?? '') ?? null
    const failure = choose(failures, exchange)
    if (failure !== null || exchange.upstream === closed) {
      const cause = new Error('the upstream was removed')
      this.#sink.fail(exchange, failure ?? failures.upstream_unavailable, cause)
      return
    }
    this.#upstream = exchange.upstream as UpstreamPool
    this.lane = laneOf(exchange, this.#upstream)
    this.place()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#exchange.isOver) controller.abort(new Error('the client is gone'))
    else this.#exchange.controller = controller
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: AnswerHeaders
  ): void {
    if (status < 200) return
    // The answer to HEAD declares a body that does not come.
    if (this.#exchange.method !== 'HEAD') {
      const isTooLarge = Number(headers['content-length']) > this.#upstream.answerBytesMax
      if (isTooLarge || !isUnderstood(headers['transfer-encoding'])) {
        controller.abort(isTooLarge ? new TooLargeError() : new CodedError())
        return
      }
    }
    this.#status = status
    this.#sink.head(this.#exchange, status, headers)
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#sink.piece(this.#exchange, piece)
  }

  onResponseEnd(): void {
    this.#upstream.release(this)
    this.#sink.end(this.#exchange)
    // What came whole may still be no answer (answers/read-answer.ts).
    this.#upstream.count(this.#exchange.failure?.reason ?? resultOf(this.#status))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const exchange = this.#exchange
    if (this.#mayRepeat(error)) {
      exchange.isRepeated = true
      exchange.controller = null
      this.#upstream.count('repeated')
      this.#upstream.repeat(this)
      return
    }
    this.#upstream.release(this)
    const failure = failureOf(this.#deps.failures, error, this.#status !== 0)
    // An exchange that is over already, without having failed, was left by its client.
    const ending = exchange.isOver ? exchange.failure : failure
    this.#upstream.count(ending?.reason ?? 'client_gone')
    this.#sink.fail(exchange, failure, error)
  }

  #mayRepeat(error: Error): boolean {
    const exchange = this.#exchange
    if (exchange.isOver || exchange.isRepeated || this.#status !== 0) return false
    if (!isClosedSocket(error) || !areRepeatable(exchange)) return false
    return this.#deps.retryBudget.withdraw()
  }
}

function requestOf(exchange: Exchange): UpstreamRequest {
  const { method, target, headers, body, scan, refusedCalls } = exchange
  if (refusedCalls === null || scan === null || body === null)
    return { method, target, headers, body }
  // The answer will be taken apart to add ours, so it must not come compressed.
  const plain: string[] = []
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? ''
    if (name !== 'accept-encoding') plain.push(name, headers[at + 1] ?? '')
  }
  // Without the header a node may choose any coding (RFC 9110, 12.5.3).
  plain.push('accept-encoding', 'identity')
  const kept = withoutCalls(body, scan, new Set(refusedCalls.keys()))
  return { method, target, headers: plain, body: kept }
}

function areRepeatable({ chain, method, scan }: Exchange): boolean {
  if (chain?.kind === 'rest') return method === 'GET' || method === 'HEAD'
  if (chain?.kind !== 'evm' || scan === null) return false
  return scan.calls.every((call) => isRepeatable(call.method))
}

/** Thrown to undici when an answer declares more than ANSWER_BYTES_MAX; undici itself counts only what has come. */
class TooLargeError extends Error {
  readonly code = 'UND_ERR_RES_EXCEEDED_MAX_SIZE'
}

/** Thrown to undici for an answer in transfer codings that the client would get undecoded and without their names. */
class CodedError extends Error {
  override readonly name = 'HTTPParserError'
  override readonly message = 'an unknown transfer coding'
}

/** undici decodes chunks and passes on all else, until the connection ends. */
const isUnderstood = (codings: AnswerHeaders[string]): boolean =>
  codings === undefined || String(codings).toLowerCase() === 'chunked'

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '')

/** The upstream closed a connection that was kept open, at the moment when we used it. */
function isClosedSocket(error: Error): boolean {
  const code = codeOf(error)
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}

const garbledCodes = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE'
])

function failureOf(failures: Failures, error: unknown, hasStarted: boolean): Failure {
  const code = codeOf(error)
  if (code === 'UND_ERR_INVALID_ARG') return failures.invalid_request
  const isGarbled = (error as Error | null)?.name === 'HTTPParserError' || garbledCodes.has(code)
  if (hasStarted || isGarbled) {
    return failures.upstream_bad_response
  }
  return failures.upstream_unavailable
}

const classes = ['', '', 'ok', '3xx', '4xx', '5xx']
const resultOf = (status: number): string => classes[Math.floor(status / 100)] ?? 'other'
