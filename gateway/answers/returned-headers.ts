// Which headers of an upstream's answer reach the client, and in which form. End-to-end headers pass unchanged, but for
// those that mean something else at the gateway, and for whatever would tell the secrets of the upstream's URL.
import type { Exchange } from '../exchange.ts'
import type { AnswerHeaders } from '../upstreams/pool.ts'
import type { HttpResponse } from '../uws.ts'
import { type ReferenceFor, referenceInRefresh, referencesInLink } from './references.ts'

const notReturned: ReadonlySet<string> = new Set([
  // Of one hop (RFC 9110, 7.6.1).
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Written by us or by uWS.
  'content-length',
  'date',
  'x-request-id',
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-private-network',
  'access-control-expose-headers',
  'access-control-max-age',
  // Statements about an origin: the client would take them for the gateway's. Its cookies and credentials do not go up.
  'alt-svc',
  'clear-site-data',
  'expect-ct',
  'nel',
  'public-key-pins',
  'public-key-pins-report-only',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  // A demand for credentials that only the operator has.
  'authentication-info',
  'proxy-authenticate',
  'proxy-authentication-info',
  'www-authenticate',
  // What stands behind the gateway is the operator's business.
  'server',
  'via',
  'x-powered-by',
  // Commands to the proxy before us.
  'x-accel-redirect',
  'x-lighttpd-send-file',
  'x-litespeed-location',
  'x-sendfile'
])

/** Headers whose value is a reference, or holds some: relative to the upstream, and not to us. */
const referenceHeaders: ReadonlyMap<
  string,
  (value: string, referenceFor: ReferenceFor) => string | null
> = new Map([
  ['location', (value: string, referenceFor: ReferenceFor) => referenceFor(value)],
  ['content-location', (value: string, referenceFor: ReferenceFor) => referenceFor(value)],
  ['link', referencesInLink],
  ['refresh', referenceInRefresh]
])

const ownExposed = 'X-Request-Id, Retry-After, RateLimit, RateLimit-Policy'
/** Names, and the `*` that stands for all of them. */
const nameList = /^[\w!#$%&'*+.^`|~, \t-]*$/

/** What a page of another origin may read: our own headers, and those that the upstream names. */
export function exposedHeaders(headers: AnswerHeaders | null): string {
  const named = headers?.['access-control-expose-headers']
  if (named === undefined) return ownExposed
  const list = typeof named === 'string' ? named : named.join(', ')
  return nameList.test(list) ? `${ownExposed}, ${list}` : ownExposed
}

export function writeReturnedHeaders(exchange: Exchange, headers: AnswerHeaders): void {
  const { connection } = headers
  const named = connection === undefined ? null : namesIn(String(connection))
  for (const name in headers) {
    if (notReturned.has(name) || named?.has(name)) continue
    const value = headers[name]
    if (typeof value === 'string') writeHeader(exchange, name, value)
    else for (const one of value ?? []) writeHeader(exchange, name, one)
  }
}

function writeHeader(exchange: Exchange, name: string, value: string): void {
  const address = exchange.upstream?.address
  const rewrite = referenceHeaders.get(name)
  if (address === undefined) return
  if (rewrite === undefined) {
    if (!address.tellsSecret(value)) writeValue(exchange.res, name, value)
    return
  }
  // Calls have one place each: where an answer to them points elsewhere, it is the operator's business.
  if (exchange.chain?.kind !== 'rest') return
  const { target, ownPrefix } = exchange
  const own = rewrite(value, (reference) => address.referenceFor(reference, target, ownPrefix))
  if (own !== null && !address.tells(own)) writeValue(exchange.res, name, own)
}

/** Of a field name (RFC 9110, section 5.6.2). */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const plainValue = /^[\t\x20-\x7e]*$/
const latin1Value = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * uWS writes what it gets: a CR or LF in a name or a value would be response splitting, and text beyond ASCII would become
 * UTF-8. undici's parser takes neither; this does not depend on it.
 */
export function writeValue(res: HttpResponse, name: string, value: string): void {
  if (!token.test(name)) return
  if (plainValue.test(value)) res.writeHeader(name, value)
  else if (latin1Value.test(value)) res.writeHeader(name, Buffer.from(value, 'latin1'))
}

/** What a Connection header names is meant for one hop (RFC 9110, 7.6.1); null when it is one of the two usual words. */
function namesIn(connection: string): ReadonlySet<string> | null {
  if (connection === 'keep-alive' || connection === 'close') return null
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
}
