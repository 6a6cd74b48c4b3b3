// Whose request it is, behind the proxies that the operator trusts. Their X-Forwarded-For is read from the right: the
// first hop that is no trusted proxy is the client. A hop that is no address was not written by a proxy that works; the
// nearest one that is an address stands for it then.
import type { FastifyRequest } from 'fastify'
import { createBlockList, parseAddress } from '../../drizzle/address-block.ts'

/** For Fastify's `trustProxy`. A list of proxies or nobody: `true` would believe whatever a client says of itself. */
export function trustIn(proxies: readonly string[]): false | ((address: string) => boolean) {
  return proxies.length > 0 ? createBlockList(proxies) : false
}

/** In one form only: without port, brackets or zone, and never longer than an address. */
export function clientAddressOf(request: Pick<FastifyRequest, 'ip' | 'ips'>): string {
  for (const hop of [request.ip ?? '', ...[...(request.ips ?? [])].reverse()]) {
    const address = parseAddress(hop)
    if (address !== null) return address
  }
  // A Unix socket has no address.
  return 'local'
}
