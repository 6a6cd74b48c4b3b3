// The one definition of DATABASE_URL: what a valid one is, and what the driver gets of it. The driver would also take its
// own options from the query, `multipleStatements` among them; here only the names of MySQL's own connection strings
// pass, so that a URL cannot switch off what drizzle/client.ts guarantees.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { TlsOptions } from 'node:tls'
import Type from 'typebox'

/** How an operator writes it; part of every message about it. */
export const databaseUrlForm =
  'mysql://user:password@host:port/name, for TLS with ?ssl-mode=VERIFY_IDENTITY and, for an authority of your own, &ssl-ca=/path/ca.pem'

export interface DatabaseAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** Empty: the server as a whole. */
  readonly database: string
  /** Null: no TLS. */
  readonly tls: DatabaseTls | null
}

export interface DatabaseTls extends Pick<TlsOptions, 'ca' | 'rejectUnauthorized'> {
  /** Whether the certificate must be for this host. */
  readonly verifyIdentity: boolean
}

const defaultPort = 3306
/** MySQL's names, https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#option_general_ssl-mode */
const sslModes: Readonly<Record<string, Omit<DatabaseTls, 'ca'> | null>> = {
  DISABLED: null,
  REQUIRED: { rejectUnauthorized: false, verifyIdentity: false },
  VERIFY_CA: { rejectUnauthorized: true, verifyIdentity: false },
  VERIFY_IDENTITY: { rejectUnauthorized: true, verifyIdentity: true }
}

/**
 * What is wrong with a DATABASE_URL; null when nothing is. Never repeats it, because it holds a password.
 * @param needsName whether it must name a database, not only a server.
 */
export function problemOfDatabaseUrl(text: string, needsName = true): string | null {
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'mysql:') return 'it does not begin with mysql://'
  if (url.hostname === '') return 'it names no host'
  if (needsName && url.pathname.length < 2) return 'it names no database: …/name'
  const parts = [url.hostname, url.username, url.password, url.pathname]
  if (!parts.every(isDecodable)) return 'a % in it is not followed by two hexadecimal digits'
  return problemOfQuery(url.searchParams) ?? problemOfIdentity(url)
}

function problemOfQuery(query: URLSearchParams): string | null {
  for (const name of query.keys()) {
    if (name !== 'ssl-mode' && name !== 'ssl-ca') return `it has the unknown parameter ${name}`
  }
  const mode = query.get('ssl-mode')
  const ca = query.get('ssl-ca')
  if (mode !== null && !(mode.toUpperCase() in sslModes)) {
    return `ssl-mode is one of ${Object.keys(sslModes).join(', ')}`
  }
  if (ca === null) return null
  if (mode === null || !sslModes[mode.toUpperCase()]?.rejectUnauthorized) {
    return 'ssl-ca needs ssl-mode=VERIFY_CA or VERIFY_IDENTITY'
  }
  try {
    readFileSync(ca)
    return null
  } catch (error) {
    return `ssl-ca cannot be read (${(error as NodeJS.ErrnoException).code})`
  }
}

/** The driver leaves an address out of the check, and Node then takes a certificate for `localhost` as good. */
function problemOfIdentity({ hostname, searchParams }: URL): string | null {
  const mode = searchParams.get('ssl-mode')?.toUpperCase()
  if (mode !== 'VERIFY_IDENTITY' || isIP(hostname.replace(/^\[(.*)\]$/, '$1')) === 0) return null
  return 'ssl-mode=VERIFY_IDENTITY needs the name of a host, not its address'
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** Throws an error that does not repeat the URL. */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const problem = problemOfDatabaseUrl(text, false)
  if (problem !== null) throw new Error(`the URL of the database cannot be used: ${problem}`)
  const { hostname, port, username, password, pathname, searchParams } = new URL(text)
  return {
    host: decodeURIComponent(hostname.replace(/^\[(.*)\]$/, '$1')),
    port: port === '' ? defaultPort : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    tls: tlsOf(searchParams)
  }
}

function tlsOf(query: URLSearchParams): DatabaseTls | null {
  const verification = sslModes[(query.get('ssl-mode') ?? 'DISABLED').toUpperCase()] ?? null
  const ca = query.get('ssl-ca')
  if (verification === null || ca === null) return verification
  return { ...verification, ca: readFileSync(ca) }
}

/** The schema of the variable for a process that cannot do without it. */
export const databaseUrlSchema = Type.Refine(
  Type.String({ description: `the database, ${databaseUrlForm}` }),
  (text) => problemOfDatabaseUrl(text) === null
)

/** The same where it may be left out. @param needsName whether it must name a database. */
export const optionalDatabaseUrlSchema = (description: string, needsName = true) =>
  Type.Refine(
    Type.String({ default: '', description }),
    (text) => text === '' || problemOfDatabaseUrl(text, needsName) === null
  )
