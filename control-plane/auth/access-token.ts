// The access token: a JWT that lives 15 minutes and says only who and which session. One algorithm, named on both sides;
// the key is found by `kid`, an unknown one is refused; `iss`, `aud` and `exp` are checked. What its bearer may do is read
// from the database on each request. The only importer of @fastify/jwt.
import { createHash } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../clock.ts'
import { type Config, durations } from '../config.ts'
import { Failure } from '../errors.ts'
import type { App } from '../http/app-type.ts'

const issuer = 'sluice'
const audience = 'sluice-rest'

export interface AccessClaims {
  userId: string
  sessionId: string
}

/** The claims of a token that was shown. */
export interface ShownClaims extends AccessClaims {
  tokenExpiresAt: Date
}

export async function registerAccessTokens(
  app: App,
  { config }: { config: Pick<Config, 'jwtSecrets'> }
): Promise<void> {
  const secrets = new Map(config.jwtSecrets.map((secret) => [keyIdOf(secret), secret]))
  const newest = config.jwtSecrets[0] ?? ''
  await app.register(fastifyJwt, {
    secret: {
      private: newest,
      public: async (_request: FastifyRequest, token: unknown) => {
        const { header } = token as { header: { kid?: unknown } }
        const secret = secrets.get(String(header.kid))
        if (secret === undefined) throw new Failure('access_token_invalid')
        return secret
      }
    },
    decode: { complete: true },
    sign: { algorithm: 'HS256', kid: keyIdOf(newest), iss: issuer, aud: audience },
    verify: {
      algorithms: ['HS256'],
      allowedIss: issuer,
      allowedAud: audience,
      // Those that are there are checked; these must be there (RFC 8725, 3.8 and 3.9).
      requiredClaims: ['iss', 'aud', 'exp', 'iat', 'sub', 'sid']
    }
  })
}

export async function issueAccessToken(
  reply: FastifyReply,
  claims: AccessClaims,
  now: Date
): Promise<{ access_token: string; token_type: string; expires_in: number }> {
  const issuedAt = Math.floor(now.getTime() / 1000)
  const expiresIn = durations.accessToken / 1000
  const token = await reply.jwtSign({
    sub: claims.userId,
    sid: claims.sessionId,
    iat: issuedAt,
    exp: issuedAt + expiresIn
  })
  return { access_token: token, token_type: 'Bearer', expires_in: expiresIn }
}

/** Throws `authentication_required` without a token and `access_token_invalid` for one that does not hold. */
export async function readAccessToken(request: FastifyRequest, clock: Clock): Promise<ShownClaims> {
  if (!/^Bearer \S/i.test(request.headers.authorization ?? '')) {
    throw new Failure('authentication_required')
  }
  try {
    const { sub, sid, iat, exp } = await request.jwtVerify<Record<string, unknown>>({
      clockTimestamp: clock().getTime()
    })
    // The library judges the types of the claims that it knows the meaning of, and no others.
    if (typeof sub !== 'string' || typeof sid !== 'string')
      throw new Failure('access_token_invalid')
    if (typeof iat !== 'number' || typeof exp !== 'number') {
      throw new Failure('access_token_invalid')
    }
    return { userId: sub, sessionId: sid, tokenExpiresAt: new Date(exp * 1000) }
  } catch (error) {
    if (error instanceof Failure) throw error
    // The library tells a dozen ways of being wrong apart; the bearer needs to know only that a new token is needed.
    request.log.debug({ err: error }, 'access token refused')
    throw new Failure('access_token_invalid')
  }
}

/** Names a secret without telling anything about it. */
function keyIdOf(secret: string): string {
  return createHash('sha256').update(`sluice kid ${secret}`).digest('hex').slice(0, 16)
}
