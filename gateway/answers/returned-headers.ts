// Which headers of an upstream's answer reach the client, and in which form.
import type { AnswerHeaders } from '../upstreams/pool.ts'
import type { HttpResponse } from '../uws.ts'

/** Headers of an upstream's answer that do not reach the client: hop-by-hop, or written by us or by uWS. */
const notReturned = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'date',
  'x-request-id',
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers'
])
export function writeReturnedHeaders(res: HttpResponse, headers: AnswerHeaders): void {
  const { connection } = headers
  const named = connection === undefined ? null : namesIn(String(connection))
  for (const name in headers) {
    if (notReturned.has(name) || named?.has(name)) continue
    const value = headers[name]
    if (typeof value === 'string') writeValue(res, name, value)
    else for (const one of value ?? []) writeValue(res, name, one)
  }
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
