// Accounts over HTTP.

import type { AuthService } from '../auth/service.ts'
import type { SessionCookies } from '../auth/session-cookies.ts'
import type { Config } from '../config.ts'
import { type App, actorOf, callerOf } from '../http/app-type.ts'
import { authLimit } from '../http/rate-limits.ts'
import * as schema from './schema.ts'
import type { UserService } from './service.ts'

export interface UserRoutesDeps {
  users: UserService
  auth: Pick<AuthService, 'findHolder' | 'knowDevice'>
  cookies: SessionCookies
  config: Pick<Config, 'authAttemptsPerMinute'>
}

export function registerUserRoutes(
  app: App,
  { users, auth, cookies, config }: UserRoutesDeps
): void {
  const guessable = { access: 'public', rateLimit: authLimit(config) } as const

  app.post(
    '/v1/auth/register',
    { schema: schema.registerRoute, config: guessable },
    async (request, reply) => {
      const email = await users.register(request.body, callerOf(request))
      return reply.code(201).send(sentTo(email))
    }
  )

  app.post(
    '/v1/auth/verify-email',
    { schema: schema.verifyEmailRoute, config: guessable },
    async (request) => {
      const { token, password } = request.body
      const session = cookies.readRefreshToken(request)
      const holderId = session === undefined ? null : await auth.findHolder(session)
      const { email } = await users.verifyEmail(token, { holderId, password }, callerOf(request))
      return { email, email_verified: true }
    }
  )

  app.post(
    '/v1/auth/resend-verification',
    { schema: schema.resendVerificationRoute, config: guessable },
    async (request, reply) => {
      const { email } = request.body
      await users.resendVerification(email, callerOf(request))
      return reply.code(202).send(sentTo(email))
    }
  )

  app.post(
    '/v1/auth/forgot-password',
    { schema: schema.forgotPasswordRoute, config: guessable },
    async (request, reply) => {
      const { email } = request.body
      await users.forgotPassword(email, callerOf(request))
      return reply.code(202).send(sentTo(email))
    }
  )

  app.post(
    '/v1/auth/reset-password',
    { schema: schema.resetPasswordRoute, config: guessable },
    async (request, reply) => {
      const { token, password } = request.body
      const owner = await users.resetPassword(token, password, callerOf(request))
      // Whatever strangers guess meanwhile, the owner gets in from here.
      cookies.setDeviceToken(request, reply, auth.knowDevice(owner))
      return reply.code(204).send(null)
    }
  )

  app.get('/v1/me', { schema: schema.readMeRoute, config: { access: 'user' } }, async (request) =>
    schema.presentUser(await users.loadProfile(actorOf(request)))
  )

  app.patch(
    '/v1/me',
    { schema: schema.updateMeRoute, config: { access: 'user' } },
    async (request) => schema.presentUser(await users.updateProfile(actorOf(request), request.body))
  )
}

function sentTo(email: string) {
  return { email, message: `If there is anything to do, a mail to ${email} says what.` }
}
