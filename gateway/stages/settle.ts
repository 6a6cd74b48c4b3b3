// The end of every exchange, whatever happened to it, exactly once: what it was is counted, what it held is released.
import type { Clock } from '../clock.ts'
import type { Deadlines } from '../deadlines.ts'
import type { Outcome } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { otherMethod } from '../rpc/method-names.ts'
import type { ThreadMetrics } from '../telemetry/thread-metrics.ts'

export interface SettleDeps {
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly metrics: ThreadMetrics
  readonly releaseBody: (exchange: Exchange) => void
}

export type Settle = (exchange: Exchange) => void

/** nginx's status for a client that left before its answer: it is sent to nobody. */
const clientGone = 499

export function createSettle({ clock, deadlines, metrics, releaseBody }: SettleDeps): Settle {
  return function settle(exchange) {
    if (exchange.isSettled) return
    exchange.isSettled = true
    deadlines.remove(exchange)
    releaseBody(exchange)
    const status = exchange.status === 0 ? clientGone : exchange.status
    metrics.countStatus(status)
    if (exchange.failure !== null) metrics.countFailure(exchange.failure.reason)
    const { key, chain } = exchange
    if (key === null || chain === null) return
    metrics.countKey(key, chain.name, status)
    const outcome = outcomeOf(exchange, status)
    chain.metrics.observe(outcome, clock.nowMs() - exchange.startedMs)
    if (exchange.scan === null) {
      chain.metrics.countCall(otherMethod, outcome)
      return
    }
    const { calls } = exchange.scan
    for (let index = 0; index < calls.length; index++) {
      const own = exchange.refusedCalls?.get(index)
      const method = chain.methodNames.nameOf(calls[index]?.method ?? '')
      chain.metrics.countCall(method, own?.outcome ?? outcome)
    }
  }
}

function outcomeOf({ failure }: Exchange, status: number): Outcome {
  if (failure !== null) return failure.outcome
  if (status < 400) return 'ok'
  return status < 500 && status !== 429 ? 'client_error' : 'upstream_error'
}
