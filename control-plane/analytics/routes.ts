// Usage over HTTP.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type App, actorOf } from '../http/app-type.ts'
import { toCsv } from './csv.ts'
import { liveRoute } from './live-schema.ts'
import * as schema from './schema.ts'
import type { AnalyticsService, Series } from './service.ts'
import {
  endpointSummaryRoute,
  orgSummaryRoute,
  presentEndpointSummary,
  presentOrgSummary
} from './summary-schema.ts'

export interface AnalyticsRoutesDeps {
  analytics: AnalyticsService
}

const forUsers = { access: 'user' } as const

export function registerAnalyticsRoutes(app: App, deps: AnalyticsRoutesDeps): void {
  registerReadRoutes(app, deps)
  registerLiveRoute(app, deps)
}

function registerReadRoutes(app: App, { analytics }: AnalyticsRoutesDeps): void {
  app.get(
    '/v1/orgs/:org/usage',
    { schema: schema.orgUsageRoute, config: forUsers },
    async (request, reply) => {
      const { params, query } = request
      const place = { orgId: params.org, endpointId: null }
      const series = await analytics.series(actorOf(request), place, query)
      return sendSeries(request, reply, series, params.org)
    }
  )

  app.get(
    '/v1/orgs/:org/endpoints/:endpoint/usage',
    { schema: schema.endpointUsageRoute, config: forUsers },
    async (request, reply) => {
      const { params, query } = request
      const place = { orgId: params.org, endpointId: params.endpoint }
      const series = await analytics.series(actorOf(request), place, query)
      return sendSeries(request, reply, series, params.endpoint)
    }
  )

  app.get(
    '/v1/orgs/:org/usage/summary',
    { schema: orgSummaryRoute, config: forUsers },
    async (request) => {
      const place = { orgId: request.params.org, endpointId: null }
      return presentOrgSummary(await analytics.summary(actorOf(request), place))
    }
  )

  app.get(
    '/v1/orgs/:org/endpoints/:endpoint/usage/summary',
    { schema: endpointSummaryRoute, config: forUsers },
    async (request) => {
      const { org, endpoint } = request.params
      const place = { orgId: org, endpointId: endpoint }
      return presentEndpointSummary(await analytics.summary(actorOf(request), place))
    }
  )

  app.get(
    '/v1/orgs/:org/endpoints/:endpoint/errors',
    { schema: schema.errorsRoute, config: forUsers },
    async (request) => {
      const { org, endpoint } = request.params
      const rows = await analytics.errors(actorOf(request), org, endpoint)
      return { data: rows.map(schema.presentError) }
    }
  )
}

function registerLiveRoute(app: App, { analytics }: AnalyticsRoutesDeps): void {
  app.get(
    '/v1/orgs/:org/endpoints/:endpoint/usage/live',
    { schema: liveRoute, config: forUsers },
    async (request, reply) => {
      const { org, endpoint } = request.params
      const stream = await analytics.watch(actorOf(request), org, endpoint)
      reply
        .type('text/event-stream; charset=utf-8')
        .header('connection', 'close')
        .header('x-accel-buffering', 'no')
      if (request.method !== 'HEAD') return reply.send(stream as unknown as string)
      // It would read the stream to its end.
      stream.destroy()
      return reply.send('')
    }
  )
  // Before the server waits for its connections: a stream would hold it up.
  app.addHook('preClose', async () => analytics.stopWatching())
}

function sendSeries(
  request: FastifyRequest,
  reply: FastifyReply,
  series: Series,
  scopeId: string
): FastifyReply {
  if (!wantsCsv(request)) {
    return reply.type('application/json; charset=utf-8').send(schema.presentSeries(series))
  }
  const { header, rows } = schema.tableOf(series)
  const days = [series.range.from, series.range.to].map((at) => at.toISOString().slice(0, 10))
  const name = ['usage', scopeId, ...days].join('-')
  return reply
    .type('text/csv; charset=utf-8; header=present')
    .header('content-disposition', `attachment; filename="${name}.csv"`)
    .send(toCsv(header, rows))
}

function wantsCsv({ query, headers }: FastifyRequest): boolean {
  const { format } = query as { format?: 'json' | 'csv' }
  if (format !== undefined) return format === 'csv'
  const accept = headers.accept ?? ''
  return accept.includes('text/csv') && !accept.includes('application/json')
}
