// What the live feed tells, and what its route promises.
import Type, { type Static } from 'typebox'
import { endpointParams } from './schema.ts'
import type { TimedCounts } from './summary.ts'
import { floorTo, stepMs } from './time-range.ts'
import { type Counts, callsOf, countsBetween, noCounts } from './usage-sums.ts'

/** Minutes that are told: the running one, and the one before, which still grows for as long as gateways keep their counts. */
const minutesTold = 2

export interface LiveFigures {
  at: Date
  /** The totals that the reader was told of last, and those of now. */
  before: Counts
  total: Counts
  minutes: readonly TimedCounts[]
  completeUntil: Date | null
}

const figures = {
  calls: Type.Integer(),
  cost: Type.Integer(),
  ok: Type.Integer(),
  client_error: Type.Integer(),
  rate_limited: Type.Integer(),
  upstream_error: Type.Integer(),
  rpc_errors: Type.Integer()
}
export const liveEvent = Type.Object({
  at: Type.String({ format: 'date-time' }),
  added: Type.Object(figures),
  minutes: Type.Array(Type.Object({ t: Type.String({ format: 'date-time' }), ...figures })),
  complete_until: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' })
})

export function presentLive(live: LiveFigures): Static<typeof liveEvent> {
  const { at, before, total, minutes, completeUntil } = live
  const running = floorTo(at.getTime(), stepMs['1m'])
  const starts = Array.from({ length: minutesTold }, (_, place) => {
    return running - (minutesTold - 1 - place) * stepMs['1m']
  })
  return {
    at: at.toISOString(),
    added: presentCounts(countsBetween(before, total)),
    minutes: starts.map((start) => {
      const found = minutes.find(({ startsAt }) => startsAt.getTime() === start)
      return { t: new Date(start).toISOString(), ...presentCounts(found?.counts ?? noCounts) }
    }),
    complete_until: completeUntil?.toISOString() ?? null
  }
}

function presentCounts(counts: Counts) {
  return {
    calls: callsOf(counts),
    cost: counts.cost,
    ok: counts.ok,
    client_error: counts.clientError,
    rate_limited: counts.rateLimited,
    upstream_error: counts.upstreamError,
    rpc_errors: counts.rpcErrors
  }
}

/** @param day the first UTC day with calls. */
export function presentFirstRequest(day: Date) {
  return { day: day.toISOString().slice(0, 10) }
}

export const liveRoute = {
  operationId: 'watchEndpointUsage',
  summary: 'Watch the usage of an endpoint',
  description: `Server-sent events, one a second. A browser's EventSource cannot send the access token: read the body of a
\`fetch\` as a stream. The events:

- \`usage\`: \`{"at","added":{"calls","cost","ok","client_error","rate_limited","upstream_error","rpc_errors"},"minutes":[{"t",…}],"complete_until"}\`.
  \`added\` is what came in since the event before; the sum of all is what was called since the stream was opened.
  \`minutes\` are the totals of the minute before and of the running one. Gateways hand in their counts every few seconds, so
  what is added comes in steps: nothing is known yet of what came after \`complete_until\`, which is null while no gateway runs.
- \`first_request\`: \`{"day"}\`, once: at the beginning when the endpoint was called before, else when its first call arrives.
- \`end\`: \`{"reason"}\`, the last one: \`token_expired\` (open it again with a new access token), \`access_lost\` (the session has
  ended or the role is gone) or \`stopping\` (open it again).

A comment is sent instead where the figures cannot be read, so a connection that is silent for 10 seconds is dead. A reader who
is slower than the events is told less often, and loses nothing; one who does not read for 30 seconds is cut off.
Each user, and each process, has a limited number of streams.`,
  tags: ['usage'],
  params: endpointParams,
  response: {
    200: {
      description: 'Events, until one of both sides ends it.',
      content: { 'text/event-stream': { schema: Type.String() } }
    }
  }
}
