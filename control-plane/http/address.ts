// Addresses and blocks of them, as endpoints and the list of trusted proxies name them.
import { isIP } from 'node:net'

/** Whether a text is an IPv4 or IPv6 address or a CIDR block. An IPv6 zone (`%eth0`) means nothing on another machine. */
export function isAddressBlock(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  const family = address.includes('%') ? 0 : isIP(address)
  if (family === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  return /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128)
}
