// The end of every exchange, whatever happened to it, exactly once: what it was is counted, what it held is released.
// Each call of a known key is counted once in the ledger, each item of a batch like a call of its own; a request whose
// body was not read, or holds no call, is one call of an unknown method.
import type { Clock } from '../clock.ts'
import type { Deadlines } from '../deadlines.ts'
import type { Outcome } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { CachedKey } from '../keys/cached-key.ts'
import { otherMethod } from '../rpc/method-names.ts'
import type { RpcCall } from '../rpc/scan.ts'
import type { ThreadMetrics } from '../telemetry/thread-metrics.ts'
import type { UsageEntry } from '../telemetry/usage/bank.ts'
import type { Failing } from '../telemetry/usage/samples.ts'
import type { Chain } from '../upstreams/chains.ts'

export interface SettleDeps {
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly metrics: ThreadMetrics
  readonly releaseBody: (exchange: Exchange) => void
  readonly releaseAnswer: (exchange: Exchange) => void
  /** For the ledger. */
  readonly recordUsage: (key: CachedKey, entry: UsageEntry, nowMs: number) => void
  /** For the owner's list of failed calls. */
  readonly noteFailedCall: (exchange: Exchange, failing: Failing) => void
}

export type Settle = (exchange: Exchange) => void

/** nginx's status for a client that left before its answer: it is sent to nobody. */
const clientGone = 499

/** What all calls of one request share. */
interface Ending {
  readonly status: number
  readonly outcome: Outcome
  readonly nowMs: number
  readonly latencyMs: number
  readonly bytesIn: number
}

export function createSettle(deps: SettleDeps): Settle {
  const { clock, deadlines, metrics, releaseBody, releaseAnswer, recordUsage, noteFailedCall } =
    deps

  return function settle(exchange) {
    if (exchange.isSettled) return
    exchange.isSettled = true
    deadlines.remove(exchange)
    const bytesIn = exchange.bodyBytes
    releaseBody(exchange)
    releaseAnswer(exchange)
    const { key, failure, startedMs } = exchange
    const status = exchange.status === 0 ? clientGone : exchange.status
    metrics.countStatus(status)
    if (failure !== null) metrics.countFailure(failure.reason)
    if (key === null) return
    key.holdings.exchanges--
    const nowMs = clock.nowMs()
    const outcome = failure === null ? outcomeOf(status) : failure.outcome
    settleCalls(exchange, key, { status, outcome, nowMs, latencyMs: nowMs - startedMs, bytesIn })
  }

  function settleCalls(exchange: Exchange, key: CachedKey, ending: Ending): void {
    const { chain, scan } = exchange
    metrics.countKey(key, chain?.name ?? '', ending.status)
    chain?.metrics.observe(ending.outcome, ending.latencyMs)
    const count = scan?.calls.length ?? 0
    if (count === 0) settleCall(exchange, key, ending, -1, 1)
    else for (let index = 0; index < count; index++) settleCall(exchange, key, ending, index, count)
  }

  /** @param index of the call in the scan; -1 when there is none. @param count how many the request has. */
  function settleCall(
    exchange: Exchange,
    key: CachedKey,
    ending: Ending,
    index: number,
    count: number
  ): void {
    const { chain, refusedCalls, verdicts, bytesOut } = exchange
    const own = refusedCalls?.get(index) ?? null
    const failure = own ?? exchange.failure
    const verdict = verdicts?.get(index) ?? 'result'
    const answered = verdict === 'missing' ? 'upstream_error' : ending.outcome
    const outcome = own?.outcome ?? answered
    const nodeCode = typeof verdict === 'number' ? verdict : null
    const call = exchange.scan?.calls[index] ?? null
    const method = nameOf(chain, call)
    chain?.metrics.countCall(method, outcome)
    const { status, nowMs, latencyMs } = ending
    recordUsage(
      key,
      {
        method,
        outcome,
        isRpcError: nodeCode !== null,
        // A call that was not admitted, or that was refused on its own, has cost nothing.
        cost: exchange.isCharged && own === null ? costOf(exchange, call, index) : 0,
        bytesIn: shareOf(ending.bytesIn, index, count),
        bytesOut: shareOf(bytesOut, index, count),
        latencyMs
      },
      nowMs
    )
    if (outcome === 'ok' && verdict === 'result') return
    noteFailedCall(exchange, { index, failure, nodeCode, status, durationMs: latencyMs })
  }
}

const nameOf = (chain: Chain | null, call: RpcCall | null): string =>
  chain === null || call === null ? otherMethod : chain.methodNames.nameOf(call.method)

/** The costs of a request's calls add up to what was charged. A batch above the limit was charged as a whole. */
function costOf({ chain, cost, failure }: Exchange, call: RpcCall | null, index: number): number {
  if (call === null) return cost
  if (failure?.reason === 'batch_too_large') return index === 0 ? cost : 0
  return chain?.weights.costOf(call.method) ?? 1
}

/** A request's bytes in equal parts for its calls; what is left over is the first one's, so that the sum is exact. */
function shareOf(bytes: number, index: number, count: number): number {
  if (count === 1) return bytes
  const share = Math.floor(bytes / count)
  return index === 0 ? bytes - share * (count - 1) : share
}

/** Of an answer that came from the node. */
function outcomeOf(status: number): Outcome {
  if (status < 400) return 'ok'
  return status < 500 && status !== 429 ? 'client_error' : 'upstream_error'
}
