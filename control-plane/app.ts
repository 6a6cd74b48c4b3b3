// The REST application: one explicit list of what is registered, in an order that matters, with the reason beside it.
// Everything a request meets on its way is in this list, from top to bottom.
import fastifyCookie from '@fastify/cookie'
import fastifyCors from '@fastify/cors'
import fastifyHelmet from '@fastify/helmet'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastifyUnderPressure from '@fastify/under-pressure'
import { type FastifyBaseLogger, fastify, LogController } from 'fastify'
import type { Logger } from 'pino'
import type { Database } from '../drizzle/client.ts'
import { registerAnalyticsRoutes } from './analytics/routes.ts'
import { registerAuditRoutes, registerRefusals } from './audit/routes.ts'
import { registerAccessTokens } from './auth/access-token.ts'
import { registerAuthentication } from './auth/authentication.ts'
import { registerAuthRoutes } from './auth/routes.ts'
import { createSessionCookies } from './auth/session-cookies.ts'
import { registerChainRoutes } from './chains/routes.ts'
import { registerChangeRoutes } from './changes/routes.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { registerEndpointRoutes } from './endpoints/routes.ts'
import type { App } from './http/app-type.ts'
import { trustIn } from './http/client-address.ts'
import { registerDocumentation } from './http/documentation.ts'
import { registerJsonBodies } from './http/json-body.ts'
import { answerBrokenRequest, answerError, registerProblems } from './http/problem.ts'
import { registerPreflightLimit, registerRateLimits } from './http/rate-limits.ts'
import { registerRequestHeads } from './http/request-head.ts'
import { registerRequestId, requestIdOf } from './http/request-id.ts'
import { registerSilentConnections } from './http/silent-connections.ts'
import { compileValidator } from './http/validation.ts'
import { registerIdempotencyKeys } from './idempotency/idempotency-keys.ts'
import { createIdempotencyRepo } from './idempotency/repo.ts'
import type { Mailer } from './mail/mailer.ts'
import { registerOrgRoutes } from './orgs/routes.ts'
import { registerPages } from './pages/routes.ts'
import { createServices, type Services } from './services.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { registerObservation } from './telemetry/observation.ts'
import { registerUserRoutes } from './users/routes.ts'

export interface AppDeps {
  config: Config
  database: Database
  mailer: Mailer
  metrics: Metrics
  log: Logger
  clock: Clock
}

type Parts = AppDeps & Services

const registrations: readonly ((app: App, parts: Parts) => Promise<void> | void)[] = [
  // First of all: whatever fails below carries the id, and is observed.
  registerRequestId,
  registerObservation,
  registerSilentConnections,
  registerRequestHeads,
  registerJsonBodies,
  registerHeaders,
  // The limiter counts behind all hooks of the application, before authentication: a flood of forged tokens is cut off
  // without a look into the database. It, the documentation and the access rule watch routes being added, so all of them
  // stand above the first route.
  registerRateLimits,
  // Routes, also those that plugins bring, answer errors as it was said when they were added.
  registerProblems,
  // Before CORS, which answers preflights itself.
  registerPreflightLimit,
  // Before anything else that can refuse: a browser may read a refusal only with these headers on it.
  registerCors,
  registerPressure,
  registerCookies,
  registerAccessTokens,
  registerAuthentication,
  registerRefusals,
  // Behind authentication and validation: a key belongs to a user, and what is refused claims none.
  (app, parts) =>
    registerIdempotencyKeys(app, { ...parts, repo: createIdempotencyRepo(parts.database) }),
  registerDocumentation,
  registerRoutes
]

/** An application that is ready to listen. It needs no database to start. */
export async function createApp(deps: AppDeps): Promise<App> {
  const app = createServer(deps)
  const parts = { ...deps, ...createServices(deps) }
  for (const register of registrations) await register(app, parts)
  await app.ready()
  return app
}

function createServer({ config, log }: AppDeps): App {
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'request_id'
    }),
    genReqId: requestIdOf,
    requestIdHeader: false,
    trustProxy: trustIn(config.trustedProxies),
    bodyLimit: config.requestBytesMax,
    requestTimeout: config.requestTimeoutMs,
    // Requests that come in over open connections while the process stops are served like any other.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: answerError,
    clientErrorHandler: answerBrokenRequest
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.setValidatorCompiler(compileValidator)
  return app
}

async function registerHeaders(app: App): Promise<void> {
  await app.register(fastifyHelmet, {
    // What other services share the domain is not for us to say.
    strictTransportSecurity: { includeSubDomains: false },
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] }
    }
  })
  // Answers hold tokens and secrets, and say what is true now.
  app.addHook('onRequest', async (request, reply) => {
    if (request.url.startsWith('/v1/')) reply.header('cache-control', 'no-store')
  })
}

async function registerCors(app: App, { config }: Parts): Promise<void> {
  await app.register(fastifyCors, {
    origin: [config.portalOrigin],
    credentials: true,
    methods: ['GET', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'X-Request-Id'],
    exposedHeaders: [
      'X-Request-Id',
      'RateLimit',
      'RateLimit-Policy',
      'Retry-After',
      'Idempotency-Replayed'
    ],
    maxAge: 600,
    strictPreflight: false
  })
}

async function registerPressure(app: App, { config }: Parts): Promise<void> {
  await app.register(fastifyUnderPressure, {
    maxEventLoopDelay: config.eventLoopDelayMsMax,
    retryAfter: 1
  })
}

async function registerCookies(app: App): Promise<void> {
  await app.register(fastifyCookie)
}

function registerRoutes(app: App, parts: Parts): void {
  const deps = { ...parts, cookies: createSessionCookies(parts) }
  registerAuthRoutes(app, deps)
  registerAuditRoutes(app, deps)
  registerUserRoutes(app, deps)
  registerOrgRoutes(app, deps)
  registerEndpointRoutes(app, deps)
  registerChainRoutes(app, deps)
  registerChangeRoutes(app, deps)
  registerAnalyticsRoutes(app, deps)
  registerPages(app)
}
