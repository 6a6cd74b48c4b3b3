// The two cookies of an account: the refresh token, and the proof that this browser was signed in before. Scripts read
// neither, and both are sent to /v1/auth alone. Where they are Secure their names say so (`__Secure-`), so that nothing
// without TLS can plant one; `__Host-` would ask for the path `/`, which would send them with every request.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Config, durations } from '../config.ts'

const path = '/v1/auth'
const names = { refresh: 'sluice_refresh', device: 'sluice_device' }

export type SessionCookies = ReturnType<typeof createSessionCookies>

export function createSessionCookies({ config }: { config: Pick<Config, 'portalOrigin'> }) {
  const isSecure = (request: Pick<FastifyRequest, 'protocol'>) =>
    request.protocol === 'https' || config.portalOrigin.startsWith('https:')
  const read = (request: FastifyRequest, name: string) =>
    request.cookies[nameOf(name, isSecure(request))]
  const set = (
    [request, reply]: [FastifyRequest, FastifyReply],
    name: string,
    value: string,
    lifeMs: number
  ) =>
    reply.setCookie(nameOf(name, isSecure(request)), value, {
      ...optionsFor(isSecure(request)),
      maxAge: lifeMs / 1000
    })

  return {
    readRefreshToken: (request: FastifyRequest) => read(request, names.refresh),
    readDeviceToken: (request: FastifyRequest) => read(request, names.device),
    setRefreshToken(request: FastifyRequest, reply: FastifyReply, token: string) {
      set([request, reply], names.refresh, token, durations.refreshToken)
    },
    setDeviceToken(request: FastifyRequest, reply: FastifyReply, token: string) {
      set([request, reply], names.device, token, durations.deviceToken)
    },
    clearRefreshToken(request: FastifyRequest, reply: FastifyReply) {
      const secure = isSecure(request)
      reply.clearCookie(nameOf(names.refresh, secure), optionsFor(secure))
    }
  }
}

/** As the contract for readers names it. */
export function refreshCookieNameOf({ portalOrigin }: Pick<Config, 'portalOrigin'>): string {
  return nameOf(names.refresh, portalOrigin.startsWith('https:'))
}

function nameOf(name: string, isSecure: boolean): string {
  return isSecure ? `__Secure-${name}` : name
}

function optionsFor(secure: boolean) {
  return { path, httpOnly: true, sameSite: 'strict', secure } as const
}
