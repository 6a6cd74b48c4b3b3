// Limits of the REST API itself, counted per client (an IPv4 address, or the /64 of an IPv6 one) in this process: they protect the process, while the limits
// that tenants buy are the gateway's. Fields are those of draft-ietf-httpapi-ratelimit-headers-10; the plugin still
// writes the names of an older draft, which are replaced on the way out.
import fastifyRateLimit from '@fastify/rate-limit'
import { clientBlockOf } from '../../drizzle/address-block.ts'
import type { Config } from '../config.ts'
import { Failure } from '../errors.ts'
import type { App } from './app-type.ts'
import { clientAddressOf } from './client-address.ts'

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
    keyGenerator: (request) => clientBlockOf(clientAddressOf(request)),
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

/**
 * Preflights are answered before any route, so before any of its limits, and ask for no token: they get a count of their
 * own. A page asks once in ten minutes for each path, so nobody honest comes near.
 */
export function registerPreflightLimit(
  app: App,
  { config }: { config: Pick<Config, 'requestsPerMinute'> }
): void {
  const count = app.createRateLimit({
    max: config.requestsPerMinute,
    timeWindow: windowSeconds * 1000
  })
  app.addHook('onRequest', async (request) => {
    if (request.method !== 'OPTIONS') return
    const result = await count(request)
    if (!result.isAllowed && result.isExceeded) throw tooMany(result.ttl)
  })
}

function tooMany(ttlMs: number): Failure {
  return new Failure('rate_limited', { retryAfterSeconds: Math.max(1, Math.ceil(ttlMs / 1000)) })
}
