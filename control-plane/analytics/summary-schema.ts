// The figures at a glance on the wire, and what their routes promise.
import Type, { type Static } from 'typebox'
import { moment, nullable } from '../http/fields.ts'
import type { RankedGroup } from './ranking.ts'
import { completeUntil, endpointParams, orgParams, tags } from './schema.ts'
import type { Compared, Quota, Summary } from './service.ts'
import { changeOf, successRatioOf } from './summary.ts'
import { type Counts, callsOf } from './usage-sums.ts'

const ratio = (description: string) => nullable(Type.Number({ description }))
const totals = Type.Object(
  {
    from: moment('the beginning'),
    to: moment('the end, which is not part of it'),
    calls: Type.Integer(),
    cost: Type.Integer(),
    success_ratio: ratio('the share of calls with outcome ok; null without calls'),
    client_error: Type.Integer(),
    rate_limited: Type.Integer(),
    upstream_error: Type.Integer(),
    rpc_errors: Type.Integer()
  },
  { title: 'UsageTotals' }
)
const compared = Type.Object(
  {
    current: totals,
    before: totals,
    change: Type.Object({
      calls: ratio('0.5 is half as many again; null when there were none before'),
      cost: ratio('likewise'),
      success_ratio: ratio('the difference of the two; null when one of them is')
    })
  },
  { title: 'UsageComparison' }
)
const quota = Type.Unsafe<{ limit: number; used: number; resets_at: string } | null>({
  type: ['object', 'null'],
  description: 'null without a daily quota',
  required: ['limit', 'used', 'resets_at'],
  properties: {
    limit: Type.Integer({ description: 'cost per UTC day' }),
    used: Type.Integer({ description: 'consumed today' }),
    resets_at: moment('the next 00:00 UTC')
  }
})
const ranked = (name: string) =>
  Type.Array(Type.Object({ [name]: Type.String(), calls: Type.Integer(), cost: Type.Integer() }), {
    description: 'at most 10, of today and the 6 UTC days before, the most called first'
  })
const summaryFields = {
  today: compared,
  last_7_days: compared,
  last_30_days: compared,
  month_to_date: compared,
  top_methods: ranked('method'),
  org_quota: quota,
  complete_until: completeUntil
}
const orgSummary = Type.Object(
  { ...summaryFields, top_endpoints: ranked('endpoint') },
  { title: 'OrgUsageSummary' }
)
const endpointSummary = Type.Object(
  { ...summaryFields, endpoint_quota: quota },
  { title: 'EndpointUsageSummary' }
)

export function presentOrgSummary(summary: Summary): Static<typeof orgSummary> {
  const { topEndpoints } = summary
  return {
    ...presentSummary(summary),
    top_endpoints: (topEndpoints ?? []).map((one) => presentRanked(one, 'endpoint'))
  }
}

export function presentEndpointSummary(summary: Summary): Static<typeof endpointSummary> {
  const { quotas } = summary
  return {
    ...presentSummary(summary),
    endpoint_quota: presentQuota(quotas.endpoint, quotas.resetsAt)
  }
}

function presentSummary({ periods, topMethods, quotas, completeUntil }: Summary) {
  return {
    today: presentCompared(periods.today),
    last_7_days: presentCompared(periods.last_7_days),
    last_30_days: presentCompared(periods.last_30_days),
    month_to_date: presentCompared(periods.month_to_date),
    top_methods: topMethods.map((one) => presentRanked(one, 'method')),
    org_quota: presentQuota(quotas.org, quotas.resetsAt),
    complete_until: completeUntil?.toISOString() ?? null
  }
}

function presentCompared({ current, before, counts }: Compared): Static<typeof compared> {
  const [now, then] = [successRatioOf(counts.current), successRatioOf(counts.before)]
  return {
    current: presentTotals(current, counts.current),
    before: presentTotals(before, counts.before),
    change: {
      calls: changeOf(callsOf(counts.current), callsOf(counts.before)),
      cost: changeOf(counts.current.cost, counts.before.cost),
      success_ratio: now === null || then === null ? null : now - then
    }
  }
}

function presentTotals(period: { from: Date; to: Date }, counts: Counts): Static<typeof totals> {
  return {
    from: period.from.toISOString(),
    to: period.to.toISOString(),
    calls: callsOf(counts),
    cost: counts.cost,
    success_ratio: successRatioOf(counts),
    client_error: counts.clientError,
    rate_limited: counts.rateLimited,
    upstream_error: counts.upstreamError,
    rpc_errors: counts.rpcErrors
  }
}

function presentRanked({ group, counts }: RankedGroup, name: 'method' | 'endpoint') {
  return { [name]: group, calls: callsOf(counts), cost: counts.cost }
}

function presentQuota(state: Quota | null, resetsAt: Date) {
  return state === null ? null : { ...state, resets_at: resetsAt.toISOString() }
}

const summaryDescription = `Four periods until now, each beside the one before it: yesterday until this time of day, the 7 or 30
days before, and the month before until this hour of its day. Days are those of UTC. The 7 and 30 days are counted in
hours, of which the running one is not over: what they are compared with is up to an hour longer.`

export const orgSummaryRoute = {
  operationId: 'readOrgUsageSummary',
  summary: 'Read the usage of an org at a glance',
  description: summaryDescription,
  tags,
  params: orgParams,
  querystring: Type.Object({}, { additionalProperties: false }),
  response: { 200: orgSummary }
}

export const endpointSummaryRoute = {
  operationId: 'readEndpointUsageSummary',
  summary: 'Read the usage of an endpoint at a glance',
  description: summaryDescription,
  tags,
  params: endpointParams,
  querystring: Type.Object({}, { additionalProperties: false }),
  response: { 200: endpointSummary }
}
