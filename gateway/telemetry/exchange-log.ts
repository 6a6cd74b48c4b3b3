// What is logged about single requests: bugs with their stack, and failures of upstreams. Never the path, which holds
// the key, nor an upstream's URL. When an upstream fails as a whole each request would be a line, so lines per second are
// bounded and the rest is counted.
import type { Clock } from '../clock.ts'
import type { Failure } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Log } from './log.ts'

const linesPerSecondMax = 20

export interface ExchangeLog {
  bug(exchange: Exchange, bug: unknown): void
  upstreamFailure(exchange: Exchange, failure: Failure, cause: unknown): void
}

export function createExchangeLog(log: Log, clock: Clock): ExchangeLog {
  let second = 0
  let lines = 0
  let suppressed = 0

  /** Whether one more line fits into this second. */
  function hasRoom(): boolean {
    const now = Math.floor(clock.nowMs() / 1000)
    if (now !== second) {
      if (suppressed > 0) log.warn({ suppressed }, 'more requests failed than were logged')
      second = now
      lines = 0
      suppressed = 0
    }
    if (lines >= linesPerSecondMax) {
      suppressed++
      return false
    }
    lines++
    return true
  }

  return {
    bug(exchange, bug) {
      if (hasRoom()) log.error({ ...about(exchange), err: bug }, 'a bug: this request failed')
    },
    upstreamFailure(exchange, failure, cause) {
      if (!hasRoom()) return
      const code = (cause as { code?: unknown } | null)?.code
      const detail = { reason: failure.reason, upstream: exchange.upstream?.id, code }
      log.warn({ ...about(exchange), ...detail }, 'an upstream failed')
    }
  }
}

function about({ requestId, key, chain, startedMs }: Exchange) {
  const afterMs = Math.round(performance.now() - startedMs)
  return { request_id: requestId, key: key?.record.keyId, chain: chain?.name, after_ms: afterMs }
}
