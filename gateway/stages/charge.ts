// What the calls cost, and whether the endpoint and its org can pay: all items of a request together, against every
// limit, all or nothing. A refused request is never charged: what an earlier limit took is given back when a later one
// refuses. (Between the two another request may be refused that would have been admitted; none is ever admitted too much.)
import type { Clock } from '../clock.ts'
import type { Failure, Failures } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Allowance } from '../keys/cached-key.ts'
import { dayOf, endOfDayMs, readUsed, returnQuota, useQuota } from '../limits/quota.ts'
import { admitted, returnTokens, takeTokens } from '../limits/token-bucket.ts'
import type { RpcCall } from '../rpc/scan.ts'

export interface ChargeDeps {
  readonly failures: Failures
  readonly clock: Clock
  readonly words: BigInt64Array
}

/** Null when admitted. In a batch, items that fail on their own are noted in `refusedCalls` and cost nothing. */
export type Charge = (exchange: Exchange) => Failure | null

export function createCharge({ failures, clock, words }: ChargeDeps): Charge {
  return function charge(exchange) {
    const failure = assess(exchange)
    if (failure !== null) return failure
    const allowances = exchange.key?.allowances ?? []
    const isFree = allowances.length === 0 || exchange.cost === 0
    const refusal = isFree ? null : chargeAll(exchange, allowances)
    exchange.isCharged = refusal === null
    return refusal
  }

  /** Finds the cost, and the calls that the endpoint does not allow. */
  function assess(exchange: Exchange): Failure | null {
    const { scan } = exchange
    if (scan === null) {
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

  function chargeAll(exchange: Exchange, allowances: readonly Allowance[]): Failure | null {
    const bill = { cost: BigInt(exchange.cost), nowNs: clock.nowNs(), wallMs: clock.wallMs() }
    let charged = 0
    for (const allowance of allowances) {
      const failure = takeFrom(exchange, allowance, bill)
      if (failure !== null) {
        giveBack(allowances.slice(0, charged), bill)
        return failure
      }
      charged++
    }
    return null
  }

  function takeFrom(exchange: Exchange, allowance: Allowance, bill: Bill): Failure | null {
    const { slot, rate, quota } = allowance
    if (rate !== null) {
      const waitNs = takeTokens(words, slot, rate, bill.cost, bill.nowNs)
      if (waitNs !== admitted) {
        describeLimit(exchange, allowance, waitNs)
        return failures.rate_limited
      }
    }
    if (quota === null || useQuota(words, slot, quota, bill.cost, dayOf(bill.wallMs))) return null
    if (rate !== null) returnTokens(words, slot, rate, bill.cost)
    exchange.resetsAtMs = endOfDayMs(bill.wallMs)
    describeQuota(exchange, allowance, leftOf(slot, quota, dayOf(bill.wallMs)))
    return failures.quota_exceeded
  }

  function leftOf(slot: number, quota: bigint, today: number): number {
    const { day, used } = readUsed(words, slot)
    return Math.max(0, Number(quota) - (day === today ? used : 0))
  }

  function giveBack(allowances: readonly Allowance[], { cost, wallMs }: Bill): void {
    for (const { slot, rate, quota } of allowances) {
      if (rate !== null) returnTokens(words, slot, rate, cost)
      if (quota !== null) returnQuota(words, slot, cost, dayOf(wallMs))
    }
  }
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
  const canEverPass = exchange.cost <= burst
  exchange.retryAfterMs = canEverPass ? Math.max(1, Number(waitNs) / 1e6) : 0
  if (!canEverPass) {
    exchange.detail = `This request costs ${exchange.cost}, more than the burst of ${burst}: split it.`
  }
  const windowSeconds = Math.max(1, Math.ceil(burst / requestsPerSecond))
  exchange.rateLimit = {
    limit: `"${scope}";r=0;t=${Math.max(1, Math.ceil(exchange.retryAfterMs / 1000))}`,
    policy: `"${scope}";q=${burst};w=${windowSeconds}`
  }
}
