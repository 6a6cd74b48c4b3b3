// Every setting and every limit of the control plane, with its unit, its bound and its reason. Nothing else in
// control-plane/ reads the environment.
import { join, resolve } from 'node:path'
import Type, { type Static } from 'typebox'
import { isAddressBlock } from '../drizzle/address-block.ts'
import { databaseUrlSchema } from '../drizzle/database-url.ts'
import { readEnvironment } from '../drizzle/environment.ts'
import {
  type Bounds,
  burstBounds,
  dailyQuotaBounds,
  requestsPerSecondBounds
} from '../drizzle/limit-bounds.ts'

const port = (fallback: number, description: string) =>
  Type.Integer({ default: fallback, minimum: 1, maximum: 65_535, description })
const count = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: fallback, minimum, maximum, description })
const list = (pattern: string, minItems: number, description: string) =>
  Type.Array(Type.String({ pattern }), { minItems, description })

const unlimited = 'unlimited'

const refined = (check: (text: string) => boolean, fallback: string, description: string) =>
  Type.Refine(Type.String({ default: fallback, description }), check)

/** A number, or `unlimited`: nobody is without a limit because something was left out. */
const defaultLimit = (fallback: string, { min, max }: Bounds, description: string) =>
  refined(
    (text) => text === unlimited || (/^\d{1,15}$/.test(text) && +text >= min && +text <= max),
    fallback,
    `${description}, from ${min} to ${max}, or ${unlimited}; the operator changes it for each org`
  )

export const environmentSchema = Type.Object({
  DATABASE_URL: databaseUrlSchema,
  SECRET_KEY: list(
    '^[A-Za-z0-9+/]{43}=$',
    1,
    'the keys that seal what must be read again: 32 bytes in base64 (openssl rand -base64 32), the newest first, separated by commas'
  ),
  JWT_SECRET: list(
    '^.{32,}$',
    1,
    'the secrets that sign access tokens: 32 characters or more each, without commas (openssl rand -hex 32), the newest first, separated by commas'
  ),
  CONTROL_PLANE_HOST: Type.String({
    default: '0.0.0.0',
    description: 'the address that serves REST'
  }),
  CONTROL_PLANE_PORT: port(3000, 'the port that serves REST'),
  CONTROL_PLANE_ADMIN_HOST: Type.String({
    default: '127.0.0.1',
    description: 'the address that serves health and metrics, which are private'
  }),
  CONTROL_PLANE_ADMIN_PORT: port(9091, 'the port that serves health and metrics'),
  PUBLIC_RPC_URL: refined(
    isRpcUrl,
    'http://127.0.0.1:8080',
    'where RPC consumers reach the gateway: an http or https URL without a query, e.g. https://rpc.example.com'
  ),
  PORTAL_ORIGIN: refined(
    isOrigin,
    '',
    'the public origin of the portal, without a path, e.g. https://portal.example.com: links in mails lead there, CORS allows it, and with https the cookie is Secure; by default this process on loopback'
  ),
  TRUSTED_PROXIES: Type.Array(Type.Refine(Type.String(), isAddressBlock), {
    default: [],
    description:
      'addresses or CIDR blocks of the proxies in front, whose X-Forwarded-For, Forwarded and PROXY protocol v2 (the latter two by the gateway alone) are believed, separated by commas'
  }),
  SLUICE_DATA_DIR: Type.String({
    default: '.data',
    description:
      'the folder of what must outlast the process: usage that waits for the database, mail without SMTP_URL'
  }),
  SMTP_URL: Type.String({
    default: '',
    pattern: '^$|^smtps?://',
    description: 'the mail server, smtp://user:password@host:587; without it mails become files'
  }),
  MAIL_FROM: Type.String({
    default: 'Sluice <no-reply@localhost>',
    pattern: '^[^\\r\\n]+$',
    description: 'the sender of mails'
  }),
  KEY_REVEAL: Type.Boolean({
    default: true,
    description:
      'whether a member may see the secret of an api key again; when off, secrets of new keys are not stored at all'
  }),
  REGISTRATION: Type.Union([Type.Literal('open'), Type.Literal('closed')], {
    default: 'open',
    description: 'whether anybody may create an account'
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'the least severe level that is logged' }
  ),

  REST_RATE_PER_MINUTE: count(
    600,
    1,
    1_000_000,
    'requests that one client address may make in a minute'
  ),
  AUTH_RATE_PER_MINUTE: count(
    20,
    1,
    1_000_000,
    'attempts to log in, register, ask for a mail or use a mailed token that one client address may make in a minute, for each of these; failed sign-ins to one account are bounded besides'
  ),
  EVENT_LOOP_DELAY_MS_MAX: count(
    1000,
    0,
    60_000,
    'milliseconds that the event loop may be late: beyond them requests are refused, so that the rest is answered in time; 0 refuses none'
  ),
  PASSWORD_QUEUE_MAX: count(
    16,
    0,
    1000,
    'password checks that wait while two run, each about 100 ms of a core; one more is refused'
  ),
  REQUEST_BYTES_MAX: count(65_536, 1024, 1_048_576, 'bytes of a request body'),
  REQUEST_TIMEOUT: count(30, 1, 300, 'seconds for a client to send its request'),
  DRAIN_TIMEOUT: count(
    10,
    1,
    300,
    'seconds for requests and mails under way when the process stops'
  ),
  DATABASE_CONNECTIONS_MAX: count(10, 1, 1000, 'connections to the database'),
  ORGS_PER_USER_MAX: count(20, 1, 10_000, 'orgs that one user may own'),
  ORG_DEFAULT_REQUESTS_PER_SECOND: defaultLimit(
    '100',
    requestsPerSecondBounds,
    'cost per second of a new org'
  ),
  ORG_DEFAULT_BURST: defaultLimit(
    '200',
    burstBounds,
    'cost that a new org may spend at once; unlimited is as much as its rate'
  ),
  ORG_DEFAULT_DAILY_QUOTA: defaultLimit(
    '1000000',
    dailyQuotaBounds,
    'cost per UTC day of a new org'
  ),
  ENDPOINTS_PER_ORG_MAX: count(500, 1, 1_000_000, 'endpoints of one org'),
  LIVE_STREAMS_MAX: count(
    1000,
    1,
    100_000,
    'live usage streams that are open at once, about 20 KB each'
  ),
  LIVE_STREAMS_PER_USER_MAX: count(10, 1, 100_000, 'live usage streams of one user'),
  // The least of each is what a summary looks back; each coarser table reaches back at least as far as the finer one.
  USAGE_MINUTES_RETENTION: count(48, 26, 1488, 'hours that usage by the minute is kept'),
  USAGE_HOURS_RETENTION: count(90, 63, 366, 'days that usage by the hour is kept'),
  USAGE_DAYS_RETENTION: count(730, 366, 3660, 'days that usage by the day is kept'),
  CALL_ERRORS_RETENTION: count(72, 1, 8784, 'hours that failed calls are kept'),
  AUDIT_LOG_RETENTION: count(365, 30, 3660, 'days that entries of the audit log are kept')
})

/** Of a new org. A burst means nothing without a rate. */
function orgLimitsOf(values: Static<typeof environmentSchema>) {
  const numberOf = (text: string) => (text === unlimited ? null : Number(text))
  const requestsPerSecond = numberOf(values.ORG_DEFAULT_REQUESTS_PER_SECOND)
  return {
    requestsPerSecond,
    burst:
      requestsPerSecond === null ? null : (numberOf(values.ORG_DEFAULT_BURST) ?? requestsPerSecond),
    dailyQuota: numberOf(values.ORG_DEFAULT_DAILY_QUOTA)
  }
}

/** Durations that the contract fixes. Milliseconds. */
export const durations = {
  accessToken: 15 * 60_000,
  refreshToken: 30 * 86_400_000,
  /** A session ends then, however often it was refreshed: a stolen one cannot live for ever. */
  session: 90 * 86_400_000,
  /** Two tabs that refresh at once both get the same successor within it. */
  refreshGrace: 30_000,
  /** A browser is known for so long after a sign-in. As long as a session, which ends by itself then. */
  deviceToken: 90 * 86_400_000,
  verifyEmailToken: 24 * 3_600_000,
  resetPasswordToken: 3_600_000,
  idempotencyKey: 24 * 3_600_000,
  /** A gateway that was not seen for so long is not counted. It reports every second. */
  gatewaySilence: 10_000,
  /** Live usage is told so often. */
  liveTick: 1000,
  /** Whether who watches still may is looked up so often. */
  liveAccessCheck: 5000,
  /** Who watches and does not read for so long is cut off. */
  liveStall: 30_000,
  /** What was consumed in a day is of no use to a gateway after it. Kept for who looks into a complaint. */
  quotaUsage: 7 * 86_400_000
} as const

/** How many passwords may be guessed: see docs/decisions/guessing.md. */
export const guessing = {
  /** Failures on one account from one block of addresses, or from one known device: a person who tries all they remember. */
  perPlaceMax: 10,
  perPlaceWindowMs: 15 * 60_000,
  /** Failures in a row on one account from browsers that are not known (NIST SP 800-63B, 3.2.2: no more than 100). */
  inARowMax: 100,
  /** Without one more failure for so long the row is over. */
  inARowLifeMs: 30 * 86_400_000
} as const

/** How what has had its time is removed: see housekeeping/sweeper.ts. */
export const sweeping = {
  intervalMs: 10 * 60_000,
  /** When a sweep has left something for the next one. */
  intervalWhenLateMs: 30_000,
  /** One statement: about 20 ms, in which its rows, all of them old, are locked. */
  rowsPerStatementMax: 1000,
  /** One sweep in one table: about 20 s. Ten minutes of 15,000 keys × 6 methods by the minute are as many. */
  rowsPerTableMax: 1_000_000
} as const

export type Config = ReturnType<typeof readConfig>

/** Throws ConfigurationError with everything that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env) {
  const values = readEnvironment(environmentSchema, env)
  return Object.freeze({
    databaseUrl: values.DATABASE_URL,
    databaseConnectionsMax: values.DATABASE_CONNECTIONS_MAX,
    secretKeys: values.SECRET_KEY,
    jwtSecrets: values.JWT_SECRET,
    host: values.CONTROL_PLANE_HOST,
    port: values.CONTROL_PLANE_PORT,
    adminHost: values.CONTROL_PLANE_ADMIN_HOST,
    adminPort: values.CONTROL_PLANE_ADMIN_PORT,
    rpcUrl: values.PUBLIC_RPC_URL.replace(/\/+$/, ''),
    portalOrigin: values.PORTAL_ORIGIN || `http://127.0.0.1:${values.CONTROL_PLANE_PORT}`,
    trustedProxies: values.TRUSTED_PROXIES,
    outboxDir: resolve(join(values.SLUICE_DATA_DIR, 'outbox')),
    smtpUrl: values.SMTP_URL || null,
    mailFrom: values.MAIL_FROM,
    keyReveal: values.KEY_REVEAL,
    registrationOpen: values.REGISTRATION === 'open',
    logLevel: values.LOG_LEVEL,
    requestsPerMinute: values.REST_RATE_PER_MINUTE,
    authAttemptsPerMinute: values.AUTH_RATE_PER_MINUTE,
    eventLoopDelayMsMax: values.EVENT_LOOP_DELAY_MS_MAX,
    passwordQueueMax: values.PASSWORD_QUEUE_MAX,
    requestBytesMax: values.REQUEST_BYTES_MAX,
    requestTimeoutMs: values.REQUEST_TIMEOUT * 1000,
    drainTimeoutMs: values.DRAIN_TIMEOUT * 1000,
    orgsPerUserMax: values.ORGS_PER_USER_MAX,
    orgLimits: orgLimitsOf(values),
    endpointsPerOrgMax: values.ENDPOINTS_PER_ORG_MAX,
    liveStreamsMax: values.LIVE_STREAMS_MAX,
    liveStreamsPerUserMax: values.LIVE_STREAMS_PER_USER_MAX,
    retentionMs: {
      usageMinutes: values.USAGE_MINUTES_RETENTION * 3_600_000,
      usageHours: values.USAGE_HOURS_RETENTION * 86_400_000,
      usageDays: values.USAGE_DAYS_RETENTION * 86_400_000,
      callErrors: values.CALL_ERRORS_RETENTION * 3_600_000,
      auditLog: values.AUDIT_LOG_RETENTION * 86_400_000
    }
  })
}

/** What the operator command needs: a database, and nothing that only a running server has. */
export function readOperatorConfig(
  env: Readonly<Record<string, string | undefined>> = process.env
): { databaseUrl: string } {
  const values = readEnvironment(Type.Object({ DATABASE_URL: databaseUrlSchema }), env)
  return { databaseUrl: values.DATABASE_URL }
}

function isRpcUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
}

function isOrigin(text: string): boolean {
  return text === '' || (/^https?:/.test(text) && URL.parse(text)?.origin === text)
}
