// Shapes of usage on the wire, and what each route promises.
import Type, { type Static } from 'typebox'
import { idParam, moment, nullable } from '../http/fields.ts'
import { percentileMs } from './percentile.ts'
import { endpointsRankedMax } from './ranking.ts'
import type { CallErrorRow } from './repo.ts'
import { callsWith, type Grouping, groupings, outcomes, type Point } from './series.ts'
import type { Series } from './service.ts'
import { groupedPointsUsual, pointsMax, stepNames } from './time-range.ts'

const closed = { additionalProperties: false }
export const tags = ['usage']
export const orgParams = Type.Object({ org: idParam('an org') })
export const endpointParams = Type.Object({
  ...orgParams.properties,
  endpoint: idParam('an endpoint')
})

const oneOf = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], description })

const idFilter = (description: string) =>
  Type.Optional(Type.String({ pattern: '^[0-9A-Za-z_-]{1,64}$', description }))

const whichTime = {
  from: Type.Optional(moment('the beginning, RFC 3339; a day before `to` unless told')),
  to: Type.Optional(moment('the end, RFC 3339; now unless told')),
  step: Type.Optional(
    oneOf(
      stepNames,
      `the length of a step; the finest with up to ${pointsMax} points, ${groupedPointsUsual} with group_by, unless told`
    )
  ),
  time_zone: Type.Optional(
    Type.String({
      maxLength: 64,
      pattern: '^[A-Za-z][A-Za-z0-9_+/-]*$',
      description:
        'a name of the IANA time zone database, e.g. Europe/Berlin, for days of that zone'
    })
  )
}
const whatOf = {
  key: idFilter('the id of an api key'),
  method: Type.Optional(
    Type.String({ pattern: '^[\\x21-\\x7e]{1,64}$', description: 'the name of a method' })
  ),
  chain: idFilter('the name or the id of a chain'),
  outcome: Type.Optional(
    oneOf(outcomes, 'calls alone are counted by outcome, so nothing else is told then')
  )
}
const howGrouped = {
  groups: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      description: 'how many groups are told apart, the most called ones; 5 unless told'
    })
  ),
  format: Type.Optional(oneOf(['json', 'csv'] as const, 'as with the Accept header'))
}

const count = (description: string) => Type.Integer({ description })
/** Null where the question is about one outcome. */
const known = (description: string) => nullable(Type.Integer({ description }))
const ms = (description: string) => nullable(Type.Number({ description }))

const figures = {
  calls: count('calls answered: each item of a batch is one'),
  cost: known('what they cost'),
  ok: count('answered by the node, be it with a JSON-RPC error'),
  client_error: count('refused for what the caller sent'),
  rate_limited: count('refused by a rate limit or a quota'),
  upstream_error: count('failed by the nodes'),
  rpc_errors: known('of the calls, those that the node answered with a JSON-RPC error'),
  bytes_in: known('bytes of requests'),
  bytes_out: known('bytes of answers'),
  p50_ms: ms('median latency; null without calls'),
  p95_ms: ms('95th percentile of latency'),
  p99_ms: ms('99th percentile of latency')
}
const groupFields = {
  endpoint: Type.Optional(Type.String({ description: 'its id' })),
  key: Type.Optional(Type.String({ description: 'its id' })),
  method: Type.Optional(Type.String()),
  chain: Type.Optional(Type.String({ description: 'its name; its id when the chain is gone' })),
  outcome: Type.Optional(Type.String())
}
export const completeUntil = nullable(
  moment('everything that was counted before is in the figures; null while no gateway runs')
)

const pointSchema = Type.Object(
  { t: moment('the start of the step'), ...groupFields, ...figures },
  { title: 'UsagePoint' }
)
const seriesSchema = Type.Object(
  {
    data: Type.Array(pointSchema),
    step: Type.String(),
    from: moment('the start of the first step'),
    to: moment('the end of the last step'),
    complete_until: completeUntil
  },
  { title: 'UsageSeries' }
)

export function presentSeries(series: Series): Static<typeof seriesSchema> {
  const { range, points, groupBy } = series
  return {
    data: points.map((point) => presentPoint(point, groupBy)),
    step: range.step,
    from: range.from.toISOString(),
    to: range.to.toISOString(),
    complete_until: series.completeUntil?.toISOString() ?? null
  }
}

function presentPoint(point: Point, groupBy: Grouping | null): Static<typeof pointSchema> {
  const { outcome, sums } = point
  const ofOutcome = (one: (typeof outcomes)[number]) =>
    outcome === null || outcome === one ? callsWith(one, sums) : 0
  const isWhole = outcome === null
  return {
    t: point.t.toISOString(),
    ...(groupBy === null ? {} : { [groupBy]: point.group ?? '' }),
    calls: callsWith(outcome, sums),
    cost: isWhole ? sums.cost : null,
    ok: ofOutcome('ok'),
    client_error: ofOutcome('client_error'),
    rate_limited: ofOutcome('rate_limited'),
    upstream_error: ofOutcome('upstream_error'),
    rpc_errors: isWhole ? sums.rpcErrors : null,
    bytes_in: isWhole ? sums.bytesIn : null,
    bytes_out: isWhole ? sums.bytesOut : null,
    p50_ms: isWhole ? percentileMs(sums.latency, 0.5) : null,
    p95_ms: isWhole ? percentileMs(sums.latency, 0.95) : null,
    p99_ms: isWhole ? percentileMs(sums.latency, 0.99) : null
  }
}

/** The columns of the CSV, and a line for each point. */
export function tableOf(series: Series) {
  const group = series.groupBy === null ? [] : [series.groupBy]
  const header = ['t', ...group, ...(Object.keys(figures) as (keyof typeof figures)[])] as const
  const rows = series.points.map((point) => {
    const shown = presentPoint(point, series.groupBy)
    return header.map((name) => shown[name] ?? null)
  })
  return { header, rows }
}

const seriesDescription = `Sums of each step, and percentiles of the latency, which are within 8 % of the exact ones (15 % where all calls take nearly the same time).

\`from\` and \`to\` are widened to whole steps of UTC; \`t\` is where a step begins. Unless the operator chose otherwise,
minutes are kept for 48 hours, hours for 90 days and days for 730 days; there are at most ${pointsMax} steps in an answer. With \`time_zone\` the days are those of the
zone, added up from hours; where its offset is not whole hours, a day begins at the full hour before its midnight.

Without \`group_by\` a step without calls is there with zeros, so a chart has no gaps. With it, only steps with calls are
there; the \`groups\` with the most calls (by whole days, or by whole hours when the question is about 6 hours or less) are
told apart, and the rest is one more group, \`_other\`, so the figures always add up to the whole. In an org with more than
${endpointsRankedMax} endpoints, keys are told apart, and methods are filtered by endpoint, among the ${endpointsRankedMax} most called ones.

\`format=csv\` or \`Accept: text/csv\` answers the same as a file. Texts that a spreadsheet would take for a formula are
preceded by an apostrophe.`

const seriesAnswer = {
  200: {
    description: 'The series.',
    content: {
      'application/json': { schema: seriesSchema },
      'text/csv': { schema: Type.String({ description: 'a header, then a line for each point' }) }
    }
  }
}

export const orgUsageRoute = {
  operationId: 'readOrgUsage',
  summary: 'Read the usage of an org over time',
  description: seriesDescription,
  tags,
  params: orgParams,
  querystring: Type.Object(
    {
      ...whichTime,
      endpoint: idFilter('the id of an endpoint'),
      ...whatOf,
      group_by: Type.Optional(oneOf(groupings, 'what is told apart')),
      ...howGrouped
    },
    closed
  ),
  response: seriesAnswer
}

export const endpointUsageRoute = {
  operationId: 'readEndpointUsage',
  summary: 'Read the usage of an endpoint over time',
  description: seriesDescription,
  tags,
  params: endpointParams,
  querystring: Type.Object(
    {
      ...whichTime,
      ...whatOf,
      group_by: Type.Optional(
        oneOf(['key', 'method', 'chain', 'outcome'] as const, 'what is told apart')
      ),
      ...howGrouped
    },
    closed
  ),
  response: seriesAnswer
}

const callError = Type.Object(
  {
    id: Type.String(),
    occurred_at: moment('when the call was answered'),
    method: Type.String(),
    code: nullable(Type.Integer({ description: 'the JSON-RPC error code, if there was one' })),
    reason: Type.String({ description: "the gateway's reason, or `upstream`: the node's answer" }),
    status: Type.Integer({ description: 'the HTTP status of the answer' }),
    duration_ms: Type.Integer(),
    upstream: nullable(Type.String({ description: 'the id of the node that was asked, if any' })),
    request_id: Type.String(),
    key: Type.String({ description: 'the id of the api key' }),
    params: nullable(
      Type.String({
        description: 'the beginning of the params, up to 512 bytes; null where they may be secret'
      })
    )
  },
  { title: 'CallError' }
)

export function presentError(row: CallErrorRow): Static<typeof callError> {
  return {
    id: row.id,
    occurred_at: row.occurredAt.toISOString(),
    method: row.method,
    code: row.code,
    reason: row.reason,
    status: row.status,
    duration_ms: row.durationMs,
    upstream: row.upstreamId,
    request_id: row.requestId,
    key: row.keyId,
    params: row.params
  }
}

export const errorsRoute = {
  operationId: 'listEndpointErrors',
  summary: 'List the latest failed calls of an endpoint',
  description:
    'The last 100 that are kept (72 hours, unless the operator chose otherwise), the latest first: a sample to look into, not a count. Gateways write a limited number of them a second.',
  tags,
  params: endpointParams,
  querystring: Type.Object({}, closed),
  response: { 200: Type.Object({ data: Type.Array(callError) }, { title: 'CallErrors' }) }
}
