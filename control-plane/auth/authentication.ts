// Who asks: before a byte of the body is read, behind the rate limit. Closed by default: a route of /v1 that does not say
// who may call it does not start. The token says which session; the session, the user and the operator's rights are read
// from the database each time, so a logout or a change of rights takes effect at once.
import type { RouteOptions } from 'fastify'
import type { Clock } from '../clock.ts'
import { Failure } from '../errors.ts'
import { type App, callerOf } from '../http/app-type.ts'
import { readAccessToken } from './access-token.ts'
import type { AuthService } from './service.ts'

export function registerAuthentication(
  app: App,
  { auth, clock }: { auth: Pick<AuthService, 'loadActor'>; clock: Clock }
): void {
  app.decorateRequest('actor', null)
  app.addHook('onRoute', requireAccess)
  app.addHook('preParsing', async (request) => {
    const { access } = request.routeOptions.config
    if (access !== 'user' && access !== 'operator') return
    const claims = await readAccessToken(request, clock)
    const actor = await auth.loadActor(claims, callerOf(request))
    if (actor === null) throw new Failure('access_token_invalid')
    request.actor = actor
    if (access === 'operator' && !actor.isOperator) throw new Failure('operator_required')
  })
}

function requireAccess(route: RouteOptions): void {
  if (route.url.startsWith('/v1/') && route.config?.access === undefined) {
    throw new Error(`${String(route.method)} ${route.url} does not say who may call it`)
  }
}
