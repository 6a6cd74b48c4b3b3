// Endpoints and api keys over HTTP.
import type { Config } from '../config.ts'
import { type App, actorOf } from '../http/app-type.ts'
import { readPageRequest, toPage } from '../http/page.ts'
import { createKeptAnswers } from './kept-answer.ts'
import * as schema from './schema.ts'
import type { ChangedEndpoint, EndpointService } from './service.ts'

export interface EndpointRoutesDeps {
  endpoints: EndpointService
  config: Pick<Config, 'rpcUrl'>
}

const forUsers = { access: 'user' } as const

const placeOf = ({ org, endpoint }: { org: string; endpoint: string }) => ({
  orgId: org,
  id: endpoint
})

export function registerEndpointRoutes(app: App, deps: EndpointRoutesDeps): void {
  const { endpoints, config } = deps
  const { rpcUrl } = config
  const creating = {
    access: 'user',
    idempotent: createKeptAnswers(endpoints, rpcUrl)
  } as const

  app.get(
    '/v1/orgs/:org/endpoints',
    { schema: schema.listEndpointsRoute, config: forUsers },
    async (request) => {
      const page = readPageRequest(request.query)
      const shown = await endpoints.list(actorOf(request), request.params.org, page)
      const rows = shown.map((one) => ({ id: one.view.endpoint.id, one }))
      return toPage(rows, page.limit, ({ one }) => schema.presentEndpoint(one, rpcUrl))
    }
  )

  app.post(
    '/v1/orgs/:org/endpoints',
    { schema: schema.createEndpointRoute, config: creating },
    async (request, reply) => {
      const { org } = request.params
      const created = await endpoints.create(actorOf(request), org, request.body)
      return reply.code(201).send(presentChanged(created, rpcUrl))
    }
  )

  app.get(
    '/v1/orgs/:org/endpoints/:endpoint',
    { schema: schema.readEndpointRoute, config: forUsers },
    async (request) => {
      const shown = await endpoints.read(actorOf(request), placeOf(request.params))
      return schema.presentEndpoint(shown, rpcUrl)
    }
  )

  app.patch(
    '/v1/orgs/:org/endpoints/:endpoint',
    { schema: schema.updateEndpointRoute, config: forUsers },
    async (request) => {
      const place = placeOf(request.params)
      const changed = await endpoints.update(actorOf(request), place, request.body)
      return presentChanged(changed, rpcUrl)
    }
  )

  app.delete(
    '/v1/orgs/:org/endpoints/:endpoint',
    { schema: schema.deleteEndpointRoute, config: forUsers },
    async (request) => {
      const place = placeOf(request.params)
      return { id: place.id, change_id: await endpoints.remove(actorOf(request), place) }
    }
  )

  registerKeyRoutes(app, deps)
}

function registerKeyRoutes(app: App, { endpoints, config }: EndpointRoutesDeps): void {
  const { rpcUrl } = config
  const creating = {
    access: 'user',
    idempotent: createKeptAnswers(endpoints, rpcUrl)
  } as const

  app.post(
    '/v1/orgs/:org/endpoints/:endpoint/rotate',
    { schema: schema.rotateRoute, config: creating },
    async (request) => {
      const place = placeOf(request.params)
      const { overlap_seconds } = request.body
      const rotated = await endpoints.rotate(actorOf(request), place, overlap_seconds)
      return presentChanged(rotated, rpcUrl)
    }
  )

  app.post(
    '/v1/orgs/:org/endpoints/:endpoint/keys/:key/revoke',
    { schema: schema.revokeRoute, config: forUsers },
    async (request) => {
      const { params } = request
      const revoked = await endpoints.revoke(actorOf(request), placeOf(params), params.key)
      return presentChanged(revoked, rpcUrl)
    }
  )

  app.post(
    '/v1/orgs/:org/endpoints/:endpoint/keys/:key/reveal',
    { schema: schema.revealRoute, config: forUsers },
    async (request) => {
      const { params } = request
      const revealed = await endpoints.reveal(actorOf(request), placeOf(params), params.key)
      return schema.presentRevealed(revealed, rpcUrl)
    }
  )
}

function presentChanged(changed: ChangedEndpoint, rpcUrl: string) {
  return { ...schema.presentEndpoint(changed, rpcUrl), change_id: changed.changeId }
}
