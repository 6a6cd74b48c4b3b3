// IP addresses as other programs write them, and blocks of them: what operators list as trusted proxies, what tenants list
// as allowed callers, and what counts as one client. Parsing and comparing are ipaddr.js's.
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/**
 * One hop of `X-Forwarded-For` or the address of a socket: with or without port, brackets or a zone. An IPv4 address that
 * is mapped into IPv6 is that IPv4 address. Null when it is none; octal, short and numeric forms are none.
 */
export function parseAddress(text: string): string | null {
  return read(text)?.toString() ?? null
}

/** Whether a text is an IPv4 or IPv6 address or a CIDR block. An IPv6 zone (`%eth0`) means nothing on another machine. */
export function isAddressBlock(text: string): boolean {
  return readBlock(text) !== null
}

/** Whether an address is in one of the blocks. What is no address is in none. */
export function createBlockList(blocks: readonly string[]): (address: string) => boolean {
  const ranges = blocks.map(readBlock).filter((range) => range !== null)
  return (text) => {
    const address = read(text)
    if (address === null) return false
    return ranges.some(
      ([base, bits]) => base.kind() === address.kind() && address.match(base, bits)
    )
  }
}

/** What counts as one client: an IPv4 address, or the /64 of an IPv6 one, of which a single customer has 2^64 addresses. */
export function clientBlockOf(text: string): string {
  const address = read(text)
  if (address === null || address.kind() === 'ipv4') return address?.toString() ?? text
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/64`).toString()}/64`
}

function read(text: string): Address | null {
  const [, bracketed, , withPort] =
    /^\s*(?:\[([^\]]+)\](:\d{1,5})?|([\d.]+):\d{1,5})\s*$/.exec(text) ?? []
  const bare = (bracketed ?? withPort ?? text.trim()).replace(/%[\w.-]{1,32}$/, '')
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare)
  if (!bare.includes(':') || !ipaddr.IPv6.isValid(bare)) return null
  const address = ipaddr.IPv6.parse(bare)
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address
}

function readBlock(text: string): [Address, number] | null {
  const [base = '', prefix, ...rest] = text.split('/')
  const address = /^[\da-fA-F.:]+$/.test(base) && !/^\d+\.[\d.]*:/.test(base) ? read(base) : null
  if (address === null || rest.length > 0) return null
  const isMapped = address.kind() === 'ipv4' && base.includes(':')
  const bitsMax = address.kind() === 'ipv4' ? 32 : 128
  if (prefix === undefined) return [address, bitsMax]
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix)) return null
  const bits = isMapped ? Number(prefix) - 96 : Number(prefix)
  return bits >= 0 && bits <= bitsMax ? [address, bits] : null
}
