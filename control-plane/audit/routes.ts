// The audit log over HTTP.
import { type App, actorOf } from '../http/app-type.ts'
import { readPageRequest, toPage } from '../http/page.ts'
import * as schema from './schema.ts'
import type { AuditService } from './service.ts'

export function registerAuditRoutes(app: App, { audit }: { audit: AuditService }): void {
  app.get(
    '/v1/orgs/:org/audit-log',
    { schema: schema.orgAuditLogRoute, config: { access: 'user' } },
    async (request) => {
      const { action, ...query } = request.query
      const page = readPageRequest(query)
      const rows = await audit.listOfOrg(actorOf(request), request.params.org, action, page)
      return toPage(rows, page.limit, schema.presentEntry)
    }
  )

  app.get(
    '/v1/me/audit-log',
    { schema: schema.myAuditLogRoute, config: { access: 'user' } },
    async (request) => {
      const page = readPageRequest(request.query)
      const rows = await audit.listOfAccount(actorOf(request), page)
      return toPage(rows, page.limit, schema.presentEntry)
    }
  )

  app.get(
    '/v1/audit-log',
    { schema: schema.auditLogRoute, config: { access: 'operator' } },
    async (request) => {
      const { action, org: orgId, user: userId, ...query } = request.query
      const page = readPageRequest(query)
      const rows = await audit.listAll({ action, orgId, userId }, page)
      return toPage(rows, page.limit, schema.presentEntry)
    }
  )
}

/** Whoever tries what only the operator may do is written down, before the refusal leaves. */
export function registerRefusals(app: App, { audit }: { audit: AuditService }): void {
  app.addHook('onSend', async (request, _reply, payload) => {
    if (request.failureCode !== 'operator_required' || request.actor === null) return payload
    const route = request.routeOptions.url ?? request.url
    try {
      await audit.noteRefusal(request.actor, request.method, route)
    } catch (error) {
      request.log.error({ err: error }, 'a refused act of the operator was not written down')
    }
    return payload
  })
}
