// Chains and upstreams over HTTP.
import { type App, actorOf } from '../http/app-type.ts'
import { readPageRequest, toPage } from '../http/page.ts'
import * as schema from './schema.ts'
import type { ChainService } from './service.ts'

const forUsers = { access: 'user' } as const
const forOperator = { access: 'operator' } as const
const creating = { access: 'operator', idempotent: true } as const

export function registerChainRoutes(app: App, { chains }: { chains: ChainService }): void {
  app.get('/v1/chains', { schema: schema.listChainsRoute, config: forUsers }, async (request) => {
    const page = readPageRequest(request.query)
    const views = await chains.list(actorOf(request), page)
    const rows = views.map((view) => ({ id: view.chain.id, view }))
    return toPage(rows, page.limit, ({ view }) => schema.presentChain(view))
  })

  app.get(
    '/v1/chains/:chain',
    { schema: schema.readChainRoute, config: forUsers },
    async (request) =>
      schema.presentChain(await chains.read(actorOf(request), request.params.chain))
  )

  app.post(
    '/v1/chains',
    { schema: schema.createChainRoute, config: creating },
    async (request, reply) => {
      const { changed, changeId } = await chains.create(actorOf(request), request.body)
      return reply.code(201).send({ ...schema.presentChain(changed), change_id: changeId })
    }
  )

  app.patch(
    '/v1/chains/:chain',
    { schema: schema.updateChainRoute, config: forOperator },
    async (request) => {
      const { chain } = request.params
      const { changed, changeId } = await chains.update(actorOf(request), chain, request.body)
      return { ...schema.presentChain(changed), change_id: changeId }
    }
  )

  app.delete(
    '/v1/chains/:chain',
    { schema: schema.deleteChainRoute, config: forOperator },
    async (request) => {
      const { changed, changeId } = await chains.remove(actorOf(request), request.params.chain)
      return { id: changed.id, change_id: changeId }
    }
  )

  registerUpstreamRoutes(app, chains)
}

function registerUpstreamRoutes(app: App, chains: ChainService): void {
  app.post(
    '/v1/chains/:chain/upstreams',
    { schema: schema.createUpstreamRoute, config: creating },
    async (request, reply) => {
      const { chain } = request.params
      const { changed, changeId } = await chains.createUpstream(
        actorOf(request),
        chain,
        request.body
      )
      return reply.code(201).send({ ...schema.presentUpstream(changed), change_id: changeId })
    }
  )

  app.patch(
    '/v1/chains/:chain/upstreams/:upstream',
    { schema: schema.updateUpstreamRoute, config: forOperator },
    async (request) => {
      const { chain, upstream } = request.params
      const { changed, changeId } = await chains.updateUpstream(
        actorOf(request),
        chain,
        upstream,
        request.body
      )
      return { ...schema.presentUpstream(changed), change_id: changeId }
    }
  )

  app.delete(
    '/v1/chains/:chain/upstreams/:upstream',
    { schema: schema.deleteUpstreamRoute, config: forOperator },
    async (request) => {
      const { chain, upstream } = request.params
      const { changed, changeId } = await chains.removeUpstream(actorOf(request), chain, upstream)
      return { id: changed.id, change_id: changeId }
    }
  )
}
