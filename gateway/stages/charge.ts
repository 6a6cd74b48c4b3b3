// What the calls cost, and whether the endpoint and its org can pay: all items of a request together, against every
// limit, all or nothing. A refused request is never charged: what an earlier limit took is given back when a later one
// refuses. (Between the two another request may be refused that would have been admitted; none is ever admitted too much.)
import type { Clock } from '../clock.ts'
import type { Failure, Failures } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Allowance } from '../keys/cached-key.ts'
import { dayOf, endOfDayMs, quotaLeft, refused, returnQuota, useQuota } from '../limits/quota.ts'
import { admitted, returnTokens, takeTokens } from '../limits/token-bucket.ts'
import type { RpcCall } from '../rpc/scan.ts'

export interface ChargeDeps {
  readonly failures: Failures
  readonly clock: Clock
  readonly words: BigInt64Array
  readonly batchItemsMax: number
}

/** Null when admitted. In a batch, items that fail on their own are noted in `refusedCalls` and cost nothing. */
export type Charge = (exchange: Exchange) => Failure | null

export function createCharge(deps: ChargeDeps): Charge {
  const { failures, batchItemsMax } = deps
  const chargeAll = createChargeAll(deps)

  return function charge(exchange) {
    const failure = assess(exchange)
    if (failure !== null) return failure
    // Fails closed: without its key nothing would limit it.
    if (exchange.key === null) throw new Error('a request without its key came to charge')
    const { allowances } = exchange.key
    const isFree = allowances.length === 0 || exchange.cost === 0
    const refusal = isFree ? null : chargeAll(exchange, allowances)
    exchange.isCharged = refusal === null
    return refusal
  }

  /** Finds the cost, and the calls that the endpoint does not allow. */
  function assess(exchange: Exchange): Failure | null {
    const { scan } = exchange
    // A batch above the limit is not looked into: it is refused, and costs what the refusal is worth.
    if (scan === null || scan.calls.length > batchItemsMax) {
      exchange.cost = 1
      return null
    }
    const { calls } = scan
    for (let index = 0; index < calls.length; index++) {
      const call = calls[index] as RpcCall
      const failure = failureOf(exchange, call)
      if (failure === null) exchange.cost += exchange.chain?.weights.costOf(call.method) ?? 1
      else if (scan.isBatch) {
        exchange.refusedCalls ??= new Map()
        exchange.refusedCalls.set(index, failure)
      } else return failure
    }
    return null
  }

  function failureOf({ key }: Exchange, call: RpcCall): Failure | null {
    if (call.problem !== null) return failures.invalid_request
    const allowed = key?.allowedMethods ?? null
    return allowed === null || allowed.has(call.method) ? null : failures.method_not_allowed
  }
}

type ChargeAll = (exchange: Exchange, allowances: readonly Allowance[]) => Failure | null

/** Charges a cost to every limit, or to none. */
function createChargeAll({ failures, clock, words }: ChargeDeps): ChargeAll {
  return function chargeAll(exchange, allowances) {
    const bill = { cost: BigInt(exchange.cost), nowNs: clock.nowNs(), wallMs: clock.wallMs() }
    const failure = chargeFrom(exchange, allowances, 0, bill)
    if (failure === null) return null
    // Only now: that a request can never pass matters only where it is refused.
    const never = allowances.find((allowance) => exceeds(exchange.cost, allowance))
    if (never === undefined) return failure
    describeCost(exchange, never)
    return failures.cost_too_high
  }

  /** Charges this limit and those after it; what it took is given back when one after it refuses. */
  function chargeFrom(
    exchange: Exchange,
    allowances: readonly Allowance[],
    index: number,
    bill: Bill
  ): Failure | null {
    const allowance = allowances[index]
    if (allowance === undefined) return null
    const { bucket, rate } = allowance
    if (rate === null) return chargeQuota(exchange, allowances, index, bill)
    const waitNs = takeTokens(words, bucket, rate, bill.cost, bill.nowNs)
    if (waitNs !== admitted) {
      describeLimit(exchange, allowance, waitNs)
      return failures.rate_limited
    }
    const failure = chargeQuota(exchange, allowances, index, bill)
    if (failure !== null) returnTokens(words, bucket, rate, bill.cost)
    return failure
  }

  /** Charges the quota of this scope, and the limits of those after it. */
  function chargeQuota(
    exchange: Exchange,
    allowances: readonly Allowance[],
    index: number,
    bill: Bill
  ): Failure | null {
    const allowance = allowances[index]
    const quota = allowance?.quota ?? null
    if (allowance === undefined || quota === null) {
      return chargeFrom(exchange, allowances, index + 1, bill)
    }
    const { quotaWord } = allowance
    const today = dayOf(bill.wallMs)
    const day = useQuota(words, quotaWord, quota, bill.cost, today)
    if (day === refused) {
      exchange.resetsAtMs = endOfDayMs(bill.wallMs)
      describeQuota(exchange, allowance, quotaLeft(words, quotaWord, quota, today))
      return failures.quota_exceeded
    }
    const failure = chargeFrom(exchange, allowances, index + 1, bill)
    if (failure !== null) returnQuota(words, quotaWord, bill.cost, day)
    return failure
  }
}

/** Whether a request of that cost can never pass, however long it waits. */
const exceeds = (cost: number, { rate, burst, quota }: Allowance): boolean =>
  (rate !== null && cost > burst) || (quota !== null && cost > quota)

/** The limit that the cost is above, in place of what a limit said that refuses for the moment only. */
function describeCost(exchange: Exchange, { scope, rate, burst, quota }: Allowance): void {
  const { cost } = exchange
  const isBurst = rate !== null && cost > burst
  const limit = isBurst ? burst : Number(quota)
  exchange.retryAfterMs = 0
  exchange.resetsAtMs = 0
  exchange.rateLimit = null
  exchange.costLimit = { name: isBurst ? 'burst' : 'daily_quota', limit }
  const named = isBurst ? `a burst of ${limit}` : `a daily quota of ${limit}`
  exchange.detail = `This request costs ${cost}, and the ${scope} has ${named}.`
}

/** A batch can cost more than is left, and a single call still pass. */
function describeQuota(exchange: Exchange, { scope }: Allowance, left: number): void {
  if (left > 0) {
    exchange.detail = `This request costs ${exchange.cost}, and the ${scope} has ${left} left today.`
  }
}

/** What is charged, and when: one reading of each clock for all limits. */
interface Bill {
  readonly cost: bigint
  readonly nowNs: bigint
  readonly wallMs: number
}

/** What the client is told about the limit that refused. */
function describeLimit(exchange: Exchange, allowance: Allowance, waitNs: bigint): void {
  const { scope, burst, requestsPerSecond } = allowance
  exchange.retryAfterMs = Math.max(1, Number(waitNs) / 1e6)
  const windowSeconds = Math.max(1, Math.ceil(burst / requestsPerSecond))
  exchange.rateLimit = {
    limit: `"${scope}";r=0;t=${Math.max(1, Math.ceil(exchange.retryAfterMs / 1000))}`,
    policy: `"${scope}";q=${burst};w=${windowSeconds}`
  }
}
