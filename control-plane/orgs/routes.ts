// Orgs over HTTP.
import { type App, actorOf } from '../http/app-type.ts'
import { readPageRequest, toPage } from '../http/page.ts'
import * as schema from './schema.ts'
import type { OrgService } from './service.ts'

export function registerOrgRoutes(app: App, { orgs }: { orgs: OrgService }): void {
  app.get(
    '/v1/orgs',
    { schema: schema.listOrgsRoute, config: { access: 'user' } },
    async (request) => {
      const { scope = 'mine', ...query } = request.query
      const page = readPageRequest(query)
      const rows = await orgs.list(actorOf(request), scope, page)
      return toPage(rows, page.limit, schema.presentOrg)
    }
  )

  app.post(
    '/v1/orgs',
    { schema: schema.createOrgRoute, config: { access: 'user', idempotent: true } },
    async (request, reply) => {
      const org = await orgs.create(actorOf(request), request.body.name)
      return reply.code(201).send(schema.presentOrg(org))
    }
  )

  app.get(
    '/v1/orgs/:org',
    { schema: schema.readOrgRoute, config: { access: 'user' } },
    async (request) => schema.presentOrg(await orgs.read(actorOf(request), request.params.org))
  )

  app.patch(
    '/v1/orgs/:org',
    { schema: schema.updateOrgRoute, config: { access: 'user' } },
    async (request) => {
      const { org, changeId } = await orgs.update(
        actorOf(request),
        request.params.org,
        request.body
      )
      return { ...schema.presentOrg(org), change_id: changeId }
    }
  )

  for (const [act, route] of [
    ['suspend', schema.suspendOrgRoute],
    ['resume', schema.resumeOrgRoute]
  ] as const) {
    app.post(
      `/v1/orgs/:org/${act}`,
      { schema: route, config: { access: 'user' } },
      async (request) => {
        const { org, changeId } = await orgs[act](actorOf(request), request.params.org)
        return { ...schema.presentOrg(org), change_id: changeId }
      }
    )
  }
}
