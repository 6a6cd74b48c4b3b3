// What one gateway does with limits, without its sockets, and a clock that a test moves.
import type { Clock } from '../../clock.ts'
import { createFailures } from '../../errors.ts'
import { Exchange } from '../../exchange.ts'
import { CachedKey } from '../../keys/cached-key.ts'
import type { ScopeLimits } from '../../keys/key-record.ts'
import { createLimitMemory, LimitWords, noWord } from '../../limits/limit-words.ts'
import { rateOf } from '../../limits/token-bucket.ts'
import { createCharge } from '../../stages/charge.ts'
import type { Chain } from '../../upstreams/chains.ts'
import { unlimitedKey } from './key-record.ts'

export const noon = Date.parse('2026-11-23T12:00:00Z')
export const noLimit: Plan = { rate: null, burst: 1, quota: null }

export interface Plan {
  readonly rate: number | null
  readonly burst: number
  readonly quota: number | null
}

/** A clock that the test moves. */
export class TestClock implements Clock {
  ns = 5_000_000_000_000n
  wall = noon
  nowMs = () => Number(this.ns / 1_000_000n)
  nowNs = () => this.ns
  wallMs = () => this.wall
  pass(ms: number): void {
    this.ns += BigInt(ms) * 1_000_000n
    this.wall += ms
  }
}

interface Ledger {
  open(word: number, scopeId: string, day: number, used: number): void
  raise(word: number, day: number, cost: number): void
  isWritten(word: number): boolean
  close(word: number): void
}
const noLedger: Ledger = {
  open: () => undefined,
  raise: () => undefined,
  isWritten: () => true,
  close: () => undefined
}

/** What one gateway does with limits, without its sockets. */
export class Limiter {
  readonly words = new BigInt64Array(createLimitMemory(64))
  readonly limits: LimitWords
  readonly #charge: ReturnType<typeof createCharge>

  constructor(clock: Clock, ledger: (words: BigInt64Array) => Ledger = () => noLedger) {
    const { words } = this
    const forget = () => undefined
    this.limits = new LimitWords({ words, clock, graceMs: 1e12, ledger: ledger(words), forget })
    this.#charge = createCharge({
      failures: createFailures(402),
      clock,
      words,
      batchItemsMax: 1000
    })
  }

  /** What a look-up gives a thread. */
  keyOf(plans: Readonly<Record<'ep_1' | 'org_1', Plan>>, day: number, used = 0): CachedKey {
    const limitsOf = (scopeId: 'ep_1' | 'org_1'): ScopeLimits => {
      const { rate, burst, quota } = plans[scopeId]
      const bucket = this.limits.bucketOf(scopeId, rate === null ? null : rateOf(rate, burst))
      if (quota === null) this.limits.endQuota(scopeId)
      const quotaWord = quota === null ? noWord : this.limits.quotaOf(scopeId, day, used)
      if (bucket === null || quotaWord === null) throw new Error('no word is free')
      return { scopeId, bucket, quotaWord, requestsPerSecond: rate, burst, dailyQuota: quota }
    }
    const limits = { endpointLimits: limitsOf('ep_1'), orgLimits: limitsOf('org_1') }
    return new CachedKey({ ...unlimitedKey, ...limits })
  }

  charge(key: CachedKey, cost: number): string {
    const exchange = new Exchange(null as never, 0)
    exchange.key = key
    exchange.chain = { weights: { costOf: () => cost } } as unknown as Chain
    const span = { start: 0, end: 0, idStart: 0, idEnd: 1 }
    exchange.scan = { isBatch: false, calls: [{ method: 'm', problem: null, ...span }] } as never
    return this.#charge(exchange)?.reason ?? 'admitted'
  }

  /** The plan of a scope has changed: every thread is told, and forgets. */
  change(scopeId: string): void {
    const reading = this.limits.beginReading()
    this.limits.forget([scopeId])
    this.limits.hear(reading)
  }

  /** Every thread has applied a reading of the change log. */
  read(): void {
    this.limits.hear(this.limits.beginReading())
  }
}
