// The only code that sees uWS's HttpRequest. It copies what it needs and returns, because the request is gone when the
// handler returns, and it refuses every head that could mean one request to us and another to somebody else.
//
// Framing (traps measured on uWS 20.51): any Transfer-Encoding value counts as chunked, an empty header name hides the
// headers after it, and chunk sizes are parsed loosely. So nothing with a Transfer-Encoding passes, a method that has a
// body must have exactly one plain Content-Length, and the connection is closed after such a request. It is also closed
// after every request without a Content-Length, because one may be hidden: what follows is then a body to whoever stands
// in front, and would be a request to us. docs/decisions/engine.md has the other ways that were tried.

import type { Failure, Failures } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { HttpRequest, HttpResponse } from '../uws.ts'

export interface AcceptDeps {
  readonly failures: Failures
  readonly newRequestId: () => string
  readonly bodyBytesMax: number
  /** Whether a proxy that is trusted says in the PROXY protocol whose connection this is. */
  readonly isProxied: (res: HttpResponse) => boolean
}

/** `preflight`: a CORS preflight, which is answered before anything is charged. */
export type Accepted = Failure | 'preflight' | null

const requestIdPattern = /^[A-Za-z0-9_-]{8,64}$/
const lengthPattern = /^\d{1,10}$/
const keyPath = '/api='
/** RFC 9112, 3.2: a name, an IPv4 address or an IPv6 address in brackets, and a port; no comma, which joins two. */
const hostPattern = /^(?:[\w.~!$&'()*+;=%-]+|\[[\da-f:.]+\])(?::\d{0,5})?$/i
/** TRACE would show the client the upstream's URL, which is secret (RFC 9110, 9.3.8); CONNECT asks for a tunnel. */
const notServed = new Set(['TRACE', 'CONNECT'])
const methodsWithBody = new Set(['POST', 'PUT', 'PATCH'])
/** A `.` or `..` segment, plain or escaped: it could climb out of the upstream's own path. */
const dotSegment = /(?:^|\/|\\|%2f|%5c)(?:\.|%2e){1,2}(?:\/|\\|%2f|%5c|$)/i
/** The origin form of RFC 9112, 3.2.1, in printable ASCII: undici also takes whole URLs, and parsers differ beyond ASCII. */
const targetPattern = /^\/[\x21\x22\x24-\x7e]*$/
const asciiValue = /^[\t\x20-\x7e]*$/

/** Headers that end here: hop-by-hop (RFC 9110, 7.6.1), about this hop, or about the client's key. */
const notForwarded = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'host',
  'content-length',
  'authorization',
  'x-api-key',
  'cookie',
  'origin',
  'access-control-request-method',
  'access-control-request-headers',
  'forwarded',
  'x-forwarded-for',
  'x-real-ip',
  'x-request-id',
  // What only a proxy in front may say: who the client is, and which path and method it asked for.
  'cf-connecting-ip',
  'fastly-client-ip',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url'
])

/**
 * Nodes of the CGI, WSGI, Rack or PHP family read `X_Real_IP` as X-Real-IP, so a name with an underscore would pass by
 * the list above; nginx drops such names too. Every X-Forwarded-… is a claim.
 */
const isClaim = (name: string): boolean => name.includes('_') || name.startsWith('x-forwarded-')

/** What the walk over the headers found, kept apart from the exchange because nothing after this stage needs it. */
interface Head {
  lengths: number
  lengthText: string
  hasTransferEncoding: boolean
  isUpgrade: boolean
  isHostValid: boolean
  connection: string
  requestId: string
  apiKey: string
  authorization: string
  isPreflight: boolean
}

export type Accept = (exchange: Exchange, req: HttpRequest) => Accepted

export function createAccept(deps: AcceptDeps): Accept {
  const { failures, newRequestId, bodyBytesMax, isProxied } = deps

  return function accept(exchange, req) {
    exchange.method = methodOf(req)
    const head = readHeaders(exchange, req)
    const isKept = head.requestId !== '' && requestIdPattern.test(head.requestId)
    exchange.requestId = isKept ? head.requestId : newRequestId()
    // Undefined without a `?`, whatever the typings say.
    const query: string | undefined = req.getQuery()
    readTarget(exchange, head, req.getUrl(), query ?? '')
    const failure = checkFraming(exchange, head)
    if (failure !== null) {
      exchange.mustClose = true
      return failure
    }
    // uWS reads another PROXY header before each request, in which a client behind the balancer could name any address.
    if (isProxied(exchange.res)) exchange.mustClose = true
    return head.isPreflight ? 'preflight' : checkRequest(exchange, head)
  }

  function checkRequest(exchange: Exchange, head: Head): Failure | null {
    if (notServed.has(exchange.method)) return failures.http_method_not_allowed
    const problem = problemOf(exchange, head)
    if (problem !== null) return refuse(exchange, problem)
    if (exchange.secret === '') return failures.key_missing
    if (exchange.contentLength > bodyBytesMax) return failures.body_too_large
    dropSecret(exchange)
    exchange.headers.push('x-request-id', exchange.requestId)
    return null
  }

  function checkFraming(exchange: Exchange, head: Head): Failure | null {
    if (head.hasTransferEncoding) return failures.length_required
    if (!head.isHostValid) return refuse(exchange, 'The Host header is empty or not valid.')
    if (head.lengths === 0) {
      exchange.mustClose = true
      return methodsWithBody.has(exchange.method) ? failures.length_required : null
    }
    if (head.lengths > 1 || !lengthPattern.test(head.lengthText)) {
      return refuse(exchange, 'There must be one Content-Length, a plain number.')
    }
    exchange.contentLength = Number(head.lengthText)
    return null
  }

  function refuse(exchange: Exchange, detail: string): Failure {
    exchange.detail = detail
    return failures.invalid_request
  }
}

/** The usual one as a constant, which V8 looks up faster than a string that has just come from outside. */
function methodOf(req: HttpRequest): string {
  const method = req.getCaseSensitiveMethod()
  return method === 'POST' ? 'POST' : method.toUpperCase()
}

function problemOf(exchange: Exchange, head: Head): string | null {
  if (head.isUpgrade) return 'WebSocket is not served by this version.'
  if (exchange.target === '/') return null
  if (!targetPattern.test(exchange.target)) {
    return 'The path has characters that must be percent-encoded.'
  }
  if (dotSegment.test(pathOf(exchange.target)))
    return 'The path must not have "." or ".." segments.'
  if (exchange.secret !== '' && exchange.target.includes(exchange.secret)) {
    return 'The API key is in the path or query that goes to the upstream: send it once.'
  }
  return null
}

function readHeaders(exchange: Exchange, req: HttpRequest): Head {
  const head: Head = {
    lengths: 0,
    lengthText: '',
    hasTransferEncoding: false,
    isUpgrade: false,
    isHostValid: false,
    connection: '',
    requestId: '',
    apiKey: '',
    authorization: '',
    isPreflight: false
  }
  const { headers } = exchange
  req.forEach((name, value) => {
    if (notForwarded.has(name)) readOwnHeader(exchange, head, name, value)
    else if (name === 'transfer-encoding') head.hasTransferEncoding = true
    else if (!isClaim(name)) headers.push(name, asciiValue.test(value) ? value : bytesOf(value))
  })
  head.isPreflight &&= exchange.method === 'OPTIONS' && exchange.origin !== ''
  if (head.connection !== '') dropNamedHeaders(exchange, head.connection)
  return head
}

/** uWS decodes UTF-8, undici writes Latin-1: so the upstream gets the bytes that the client sent. */
function bytesOf(value: string): string {
  return Buffer.from(value).toString('latin1')
}

function readOwnHeader(exchange: Exchange, head: Head, name: string, value: string): void {
  switch (name) {
    case 'content-length':
      head.lengths++
      head.lengthText = value
      break
    case 'host':
      head.isHostValid = hostPattern.test(value)
      break
    case 'connection':
      if (value === 'close') exchange.isClosedByEngine = true
      if (value !== 'keep-alive' && value !== 'close') head.connection += `,${value}`
      break
    case 'upgrade':
      head.isUpgrade = value.toLowerCase() === 'websocket'
      break
    case 'x-request-id':
      head.requestId = value
      break
    case 'x-api-key':
      head.apiKey = value
      break
    case 'authorization':
      head.authorization = value
      break
    case 'origin':
      exchange.origin = value
      break
    case 'x-forwarded-for':
      exchange.forwardedFor += exchange.forwardedFor === '' ? value : `,${value}`
      break
    case 'forwarded':
      exchange.forwarded += exchange.forwarded === '' ? value : `,${value}`
      break
    case 'access-control-request-method':
      head.isPreflight = true
      break
  }
}

/** RFC 9110, 7.6.1: what Connection names is meant for this hop only. */
function dropNamedHeaders(exchange: Exchange, connection: string): void {
  const named = new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
  // RFC 9112, 9.6. uWS sees it only where it stands alone.
  if (named.has('close')) exchange.mustClose = true
  dropHeaders(exchange, (name) => named.has(name))
}

/** Proxies in front repeat the client's path, and so the key, in headers of their own (X-Original-URI, Referer). */
function dropSecret(exchange: Exchange): void {
  const { headers, secret } = exchange
  for (let at = 1; at < headers.length; at += 2) {
    if (!headers[at]?.includes(secret)) continue
    dropHeaders(exchange, (_name, value) => value.includes(secret))
    return
  }
}

function dropHeaders(exchange: Exchange, isDropped: (name: string, value: string) => boolean) {
  const { headers } = exchange
  let kept = 0
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? ''
    const value = headers[at + 1] ?? ''
    if (isDropped(name, value)) continue
    headers[kept++] = name
    headers[kept++] = value
  }
  headers.length = kept
}

/** `/api=<key>/<rest>?<query>`, or any other path with the key in a header. */
function readTarget(exchange: Exchange, head: Head, path: string, query: string): void {
  let rest = path
  if (path.startsWith(keyPath)) {
    const slash = path.indexOf('/', keyPath.length)
    exchange.secret = slash < 0 ? path.slice(keyPath.length) : path.slice(keyPath.length, slash)
    exchange.ownPrefix = keyPath + exchange.secret
    rest = slash < 0 ? '/' : path.slice(slash)
  } else if (head.apiKey !== '') {
    exchange.secret = head.apiKey
  } else if (/^bearer /i.test(head.authorization)) {
    exchange.secret = head.authorization.slice('bearer '.length).trim()
  } else if (/^basic /i.test(head.authorization)) {
    exchange.secret = keyOfBasic(head.authorization.slice('basic '.length))
  }
  exchange.target = query === '' ? rest : `${rest}?${query}`
}

/** `https://:<key>@host`, as clients of Infura write it, or `https://<key>@host`. */
function keyOfBasic(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString('latin1')
  const colon = text.indexOf(':')
  if (colon < 0) return text
  return text.slice(colon + 1) || text.slice(0, colon)
}

function pathOf(target: string): string {
  const question = target.indexOf('?')
  return question < 0 ? target : target.slice(0, question)
}
