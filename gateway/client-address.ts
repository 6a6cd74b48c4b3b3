// The address of a client. Only the TCP peer is certain. What it says of others counts only if it is on the trusted list:
// first the PROXY protocol (v2, of a TCP balancer), then `X-Forwarded-For` or `Forwarded` (RFC 7239). Read from the right,
// the first address that is not a trusted proxy's is the client's; what is left of it, the client may have made up. A
// proxy writes one of the two fields and passes the other on as the client sent it: where they differ, neither counts.
import { parseAddress } from '../drizzle/address-block.ts'
import type { Exchange } from './exchange.ts'
import { blockListOf } from './keys/cached-key.ts'
import type { HttpResponse } from './uws.ts'

export interface ClientAddresses {
  /** Text form; IPv4 addresses on a dual-stack socket are IPv4. Only while the exchange is not over. */
  of(exchange: Exchange): string
  /** Whether a trusted peer names another address in the PROXY protocol. */
  isProxied(res: HttpResponse): boolean
}

/** An element of `Forwarded`: its `for`, plain or quoted. */
const forPattern = /(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^;\s"]+))\s*(?=;|$)/i
/** An element ends at a comma outside of quotes. */
const elementPattern = /(?:"[^"]*"|[^",])+/g

export function createClientAddresses(trustedProxies: readonly string[]): ClientAddresses {
  const trusted = trustedProxies.length === 0 ? null : blockListOf(trustedProxies)
  const isTrusted = (address: string): boolean =>
    trusted?.check(address, address.includes(':') ? 'ipv6' : 'ipv4') ?? false

  return {
    isProxied: (res) =>
      trusted !== null &&
      res.getProxiedRemoteAddress().byteLength > 0 &&
      isTrusted(textOf(new Uint8Array(res.getRemoteAddress()))),

    of(exchange) {
      const peer = textOf(new Uint8Array(exchange.res.getRemoteAddress()))
      if (!isTrusted(peer)) return peer
      const proxied = new Uint8Array(exchange.res.getProxiedRemoteAddress())
      const last = proxied.length === 0 ? peer : textOf(proxied)
      if (!isTrusted(last)) return last
      const { forwarded, forwardedFor } = exchange
      const client = clientAmong(forwardedFor.split(','), last)
      if (forwarded === '') return client
      const other = clientAmong(hopsOf(forwarded), last)
      return forwardedFor === '' || client === other ? other : last
    }
  }

  function clientAmong(hops: readonly string[], last: string): string {
    let client = last
    for (let at = hops.length - 1; at >= 0 && isTrusted(client); at--) {
      const address = addressOf(hops[at] ?? '')
      if (address === null) break
      client = address
    }
    return client
  }
}

function hopsOf(forwarded: string): string[] {
  const elements = forwarded.match(elementPattern) ?? []
  return elements.map((element) => {
    const [, quoted, plain] = forPattern.exec(element) ?? []
    return quoted ?? plain ?? ''
  })
}

/** Of a hop as proxies write it: with or without a port, brackets and quotes. Null for what is no address. */
function addressOf(hop: string): string | null {
  // A zone means nothing on another machine.
  return hop.includes('%') ? null : parseAddress(hop.trim().replace(/^"(.*)"$/, '$1'))
}

function textOf(bytes: Uint8Array): string {
  const isMapped = bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0)
  if (bytes.length === 4) return bytes.join('.')
  if (isMapped && bytes[10] === 0xff && bytes[11] === 0xff) return bytes.subarray(12).join('.')
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) {
    groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16))
  }
  return groups.join(':')
}
