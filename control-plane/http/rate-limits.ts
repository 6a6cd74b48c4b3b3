// Limits of the REST API itself, counted per client address in this process: they protect the process, while the limits
// that tenants buy are the gateway's. Fields are those of draft-ietf-httpapi-ratelimit-headers-10; the plugin still
// writes the names of an older draft, which are replaced on the way out.
import fastifyRateLimit from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import type { Config } from '../config.ts'
import { Failure } from '../errors.ts'
import type { App } from './app-type.ts'

const windowSeconds = 60
/** Addresses that are counted at once, about 200 bytes each; the least recent is forgotten. */
const clientsMax = 20_000

export async function registerRateLimits(
  app: App,
  { config }: { config: Pick<Config, 'requestsPerMinute'> }
): Promise<void> {
  await app.register(fastifyRateLimit, {
    max: config.requestsPerMinute,
    timeWindow: windowSeconds * 1000,
    cache: clientsMax,
    errorResponseBuilder: (_request, { ttl }) => tooMany(ttl)
  })
  app.addHook('onSend', async (request, reply, payload) => {
    const limit = reply.getHeader('x-ratelimit-limit')
    if (limit === undefined) return payload
    const policy = request.routeOptions.config.rateLimit ? 'auth' : 'api'
    reply.header('ratelimit-policy', `"${policy}";q=${limit};w=${windowSeconds}`)
    reply.header(
      'ratelimit',
      `"${policy}";r=${reply.getHeader('x-ratelimit-remaining')};t=${reply.getHeader('x-ratelimit-reset')}`
    )
    for (const name of ['limit', 'remaining', 'reset']) reply.removeHeader(`x-ratelimit-${name}`)
    return payload
  })
}

/** The stricter limit of a route at which secrets can be guessed. Each such route has its own count. */
export function authLimit(config: Pick<Config, 'authAttemptsPerMinute'>) {
  return { max: config.authAttemptsPerMinute, timeWindow: windowSeconds * 1000 }
}

/** Counts one more attempt on an account, whatever address it comes from. Throws a failure beyond the limit. */
export type AccountLimit = (request: FastifyRequest, email: string) => Promise<void>

export function createAccountLimit(
  app: App,
  { config }: { config: Pick<Config, 'authAttemptsPerMinute'> }
): AccountLimit {
  // The plugin asks for the key with nothing but the request in hand.
  const accounts = new WeakMap<FastifyRequest, string>()
  const count = app.createRateLimit({
    max: config.authAttemptsPerMinute,
    timeWindow: windowSeconds * 1000,
    keyGenerator: (request) => accounts.get(request) ?? ''
  })
  return async (request, email) => {
    accounts.set(request, email.trim().toLowerCase())
    const result = await count(request)
    if (!result.isAllowed && result.isExceeded) throw tooMany(result.ttl)
  }
}

function tooMany(ttlMs: number): Failure {
  return new Failure('rate_limited', { retryAfterSeconds: Math.max(1, Math.ceil(ttlMs / 1000)) })
}
