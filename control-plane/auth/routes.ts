// Sessions over HTTP. The refresh token travels only in a cookie that scripts cannot read and that is sent to /v1/auth
// alone; the routes that take it refuse pages of another origin.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { Failure } from '../errors.ts'
import { type App, callerOf } from '../http/app-type.ts'
import { authLimit } from '../http/rate-limits.ts'
import { issueAccessToken } from './access-token.ts'
import * as schema from './schema.ts'
import type { AuthService, OpenSession } from './service.ts'
import type { SessionCookies } from './session-cookies.ts'

export interface AuthRoutesDeps {
  auth: AuthService
  cookies: SessionCookies
  clock: Clock
  config: Pick<Config, 'authAttemptsPerMinute' | 'portalOrigin'>
}

export function registerAuthRoutes(app: App, deps: AuthRoutesDeps): void {
  const { auth, cookies, clock, config } = deps
  const guessable = { access: 'public', rateLimit: authLimit(config) } as const

  const open = async (request: FastifyRequest, reply: FastifyReply, session: OpenSession) => {
    cookies.setRefreshToken(request, reply, session.refreshToken)
    return await issueAccessToken(reply, session, clock())
  }

  app.post(
    '/v1/auth/login',
    { schema: schema.loginRoute, config: guessable },
    async (request, reply) => {
      const credentials = { ...request.body, deviceToken: cookies.readDeviceToken(request) }
      const session = await auth.login(credentials, callerOf(request))
      cookies.setDeviceToken(request, reply, session.deviceToken)
      return await open(request, reply, session)
    }
  )

  app.post(
    '/v1/auth/refresh',
    // Not among the guessable: 256 random bits are not guessed, and an office shares one address.
    { schema: schema.refreshRoute, config: { access: 'public' } },
    async (request, reply) => {
      requireOwnOrigin(request, config.portalOrigin)
      const token = cookies.readRefreshToken(request)
      if (token === undefined) throw new Failure('refresh_token_invalid')
      return await open(request, reply, await auth.refresh(token, callerOf(request)))
    }
  )

  app.post(
    '/v1/auth/logout',
    { schema: schema.logoutRoute, config: { access: 'public' } },
    async (request, reply) => {
      requireOwnOrigin(request, config.portalOrigin)
      const token = cookies.readRefreshToken(request)
      if (token !== undefined) await auth.logout(token, callerOf(request))
      cookies.clearRefreshToken(request, reply)
      return reply.code(204).send(null)
    }
  )
}

/** SameSite=Strict lets a page of a sibling domain through; browsers name the page's origin on every POST. */
function requireOwnOrigin(request: FastifyRequest, portalOrigin: string): void {
  const { origin } = request.headers
  if (origin === undefined || origin === portalOrigin) return
  if (origin !== `${request.protocol}://${request.host}`) throw new Failure('origin_not_allowed')
}
