// The limits that orgs and endpoints share: how many requests in a second and in a burst, and how much cost in a day;
// and what a call may cost. The bounds are those that the gateway counts with (drizzle/limit-bounds.ts). Null is no limit. A burst belongs to a rate: without one it means nothing, and unless told it equals it.
import Type, { type Static } from 'typebox'
import {
  burstBounds,
  dailyQuotaBounds,
  methodWeightBounds,
  requestsPerSecondBounds
} from '../drizzle/limit-bounds.ts'
import { invalidFields } from './errors.ts'
import { nullable } from './http/fields.ts'

export const limitFields = {
  requests_per_second: nullable(
    Type.Integer({
      minimum: requestsPerSecondBounds.min,
      maximum: requestsPerSecondBounds.max,
      description: 'cost per second, refilled steadily; null is no limit'
    })
  ),
  burst: nullable(
    Type.Integer({
      minimum: burstBounds.min,
      maximum: burstBounds.max,
      description: 'cost that may be spent at once; equals requests_per_second unless told'
    })
  ),
  daily_quota: nullable(
    Type.Integer({
      minimum: dailyQuotaBounds.min,
      maximum: dailyQuotaBounds.max,
      description: 'cost per UTC day; null is no limit'
    })
  )
}

export const methodWeight = Type.Integer({
  minimum: methodWeightBounds.min,
  maximum: methodWeightBounds.max
})

export const limitChange = {
  requests_per_second: Type.Optional(limitFields.requests_per_second),
  burst: Type.Optional(limitFields.burst),
  daily_quota: Type.Optional(limitFields.daily_quota)
}

export interface Limits {
  requestsPerSecond: number | null
  burst: number | null
  dailyQuota: number | null
}

const changeSchema = Type.Object(limitChange)
export type LimitChange = Static<typeof changeSchema>

export const noLimits: Limits = { requestsPerSecond: null, burst: null, dailyQuota: null }

/** The limits after a change. A burst that was left at its default follows the rate. Throws `validation_failed`. */
export function changeLimits(current: Limits, change: LimitChange): Limits {
  const requestsPerSecond =
    change.requests_per_second === undefined
      ? current.requestsPerSecond
      : change.requests_per_second
  const dailyQuota = change.daily_quota === undefined ? current.dailyQuota : change.daily_quota
  if (requestsPerSecond === null) {
    if (typeof change.burst === 'number') {
      throw invalidFields([{ pointer: '#/burst', detail: 'needs a requests_per_second' }])
    }
    return { requestsPerSecond, burst: null, dailyQuota }
  }
  const isDefault = current.burst === null || current.burst === current.requestsPerSecond
  const kept = isDefault ? requestsPerSecond : current.burst
  const burst = change.burst === undefined ? kept : (change.burst ?? requestsPerSecond)
  return { requestsPerSecond, burst, dailyQuota }
}

export function presentLimits(limits: Limits) {
  return {
    requests_per_second: limits.requestsPerSecond,
    burst: limits.burst,
    daily_quota: limits.dailyQuota
  }
}

/** Whether a change names any limit. */
export function hasLimits(change: LimitChange): boolean {
  return (
    change.requests_per_second !== undefined ||
    change.burst !== undefined ||
    change.daily_quota !== undefined
  )
}
