// The address of a client. Only the TCP peer is certain; X-Forwarded-For is believed as far as it was written by proxies
// on the trusted list: the first address from the right that is not one of them is the client.
import { type BlockList, isIP } from 'node:net'
import type { Exchange } from './exchange.ts'

/** What IPv4 is written with on a dual-stack socket. */
const mapped = /^::ffff:(?=\d+\.)/i

export function createClientAddressOf(trustedProxies: BlockList | null) {
  const isTrusted = (address: string): boolean =>
    trustedProxies?.check(address, address.includes(':') ? 'ipv6' : 'ipv4') ?? false

  /** Text form; IPv4 addresses on a dual-stack socket are IPv4. Only while the exchange is not over. */
  return function clientAddressOf(exchange: Exchange): string {
    const peer = textOf(new Uint8Array(exchange.res.getRemoteAddress()))
    if (!isTrusted(peer)) return peer
    const hops = exchange.forwardedFor.split(',').map((hop) => hop.trim().replace(mapped, ''))
    let client = peer
    for (const hop of hops.reverse()) {
      if (isIP(hop) === 0 || hop.includes('%')) break
      client = hop
      if (!isTrusted(hop)) break
    }
    return client
  }
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
