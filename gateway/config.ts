// Every setting and every limit of the gateway, with its unit, its bound and its reason. Nothing else in gateway/ reads
// the environment.
import { availableParallelism, hostname } from 'node:os'
import { resolve } from 'node:path'
import Type, { type Static } from 'typebox'
import { databaseUrlSchema } from '../drizzle/database-url.ts'
import { readEnvironment } from '../drizzle/environment.ts'
import { isAddressBlock } from './keys/cached-key.ts'

const port = (fallback: number, description: string) =>
  Type.Integer({ default: fallback, minimum: 1, maximum: 65_535, description })
const count = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: fallback, minimum, maximum, description })

export const environmentSchema = Type.Object({
  DATABASE_URL: databaseUrlSchema,
  SECRET_KEY: Type.Array(Type.String({ pattern: '^[A-Za-z0-9+/]{43}=$' }), {
    minItems: 1,
    description:
      'the keys that seal what must be read again: 32 bytes in base64 (openssl rand -base64 32), the newest first, separated by commas'
  }),
  NODE_ID: Type.String({
    default: '',
    pattern: '^[A-Za-z0-9._:-]{0,64}$',
    description: 'the name of this gateway among its siblings; by default host name and port'
  }),
  GATEWAY_HOST: Type.String({ default: '0.0.0.0', description: 'the address that serves RPC' }),
  GATEWAY_PORT: port(8080, 'the port that serves RPC'),
  GATEWAY_ADMIN_HOST: Type.String({
    default: '127.0.0.1',
    description: 'the address that serves health and metrics, which are private'
  }),
  GATEWAY_ADMIN_PORT: port(9090, 'the port that serves health and metrics'),
  GATEWAY_THREADS: count(
    availableParallelism(),
    1,
    256,
    'worker threads; by default one for each core'
  ),
  TRUSTED_PROXIES: Type.Array(Type.Refine(Type.String(), isAddressBlock), {
    default: [],
    description:
      'addresses or CIDR blocks of the proxies in front, whose X-Forwarded-For, Forwarded and PROXY protocol v2 (the latter two by the gateway alone) are believed, separated by commas'
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'the least severe level that is logged' }
  ),

  KEY_CACHE_TTL: count(3600, 1, 86_400, 'seconds for which a cached key is fresh'),
  KEY_CACHE_STALE: count(
    86_400,
    0,
    604_800,
    'seconds after that for which it still serves while the database is down'
  ),
  KEY_CACHE_MAX: count(
    50_000,
    100,
    5_000_000,
    'keys that a thread caches; quick-lru holds up to twice as many, about 1 KB each'
  ),
  KEY_NEGATIVE_MAX: count(10_000, 100, 1_000_000, 'unknown keys that a thread remembers'),
  KEY_NEGATIVE_TTL: count(30, 1, 3600, 'seconds for which an unknown key is not looked up again'),
  KEY_LOOKUPS_MAX: count(
    8,
    1,
    100,
    'key look-ups under way at once, each on a database connection; a flood of unknown keys gets no further'
  ),
  KEY_LOOKUP_QUEUE_MAX: count(
    1000,
    0,
    100_000,
    'key look-ups that wait; one more answers key_store_unavailable'
  ),
  KEY_UNKNOWN_PER_SECOND_MAX: count(
    200,
    1,
    100_000,
    'keys a second that are looked up in vain; beyond it a key that is not cached answers key_store_unavailable'
  ),
  CHANGE_POLL_MS: count(250, 10, 10_000, 'milliseconds between two looks at the change log'),

  QUOTA_STATUS: Type.Union([Type.Literal(402), Type.Literal(429)], {
    default: 402,
    description:
      'the HTTP status of quota_exceeded: no client library retries 402; on 429 ethers goes on for minutes without an error, although nothing passes before midnight UTC'
  }),
  LIMIT_SLOTS_MAX: count(
    262_144,
    16,
    8_388_608,
    'endpoints and orgs with a limit that are in use on one gateway, 16 bytes each; beyond it the idle ones are forgotten and new ones wait'
  ),

  EXCHANGES_MAX: count(20_000, 1, 1_000_000, 'requests under way on one thread'),
  REQUEST_BODY_BYTES_MAX: count(5_242_880, 1024, 268_435_456, 'bytes of a request body'),
  REQUEST_BODIES_BYTES_MAX: count(
    268_435_456,
    1_048_576,
    17_179_869_184,
    'bytes of all request bodies on one thread'
  ),
  BODY_IDLE_TIMEOUT_MS: count(
    10_000,
    100,
    600_000,
    'milliseconds between two pieces of a request body'
  ),
  BODY_TIMEOUT_MS: count(
    120_000,
    100,
    3_600_000,
    'milliseconds from a request to the end of its body, however steadily it comes'
  ),
  BATCH_ITEMS_MAX: count(1000, 1, 100_000, 'calls in one batch'),
  ANSWER_BUFFER_BYTES_MAX: count(
    262_144,
    1024,
    16_777_216,
    'bytes of an answer that is held back until it is complete; a larger one is streamed'
  ),
  ANSWER_BUFFERS_BYTES_MAX: count(
    268_435_456,
    1_048_576,
    17_179_869_184,
    'bytes of all answers that one thread holds, incomplete or not yet read; an org has a share, beyond which its answers are streamed'
  ),
  ANSWER_BYTES_MAX: count(268_435_456, 1024, 17_179_869_184, 'bytes of an answer'),

  UPSTREAM_TIMEOUT_MS: count(
    30_000,
    100,
    600_000,
    'milliseconds from a complete request to the head of its answer, and between two pieces of the answer'
  ),
  UPSTREAM_CONNECT_TIMEOUT_MS: count(3000, 50, 60_000, 'milliseconds to connect to an upstream'),
  UPSTREAM_CONNECTIONS_MAX: count(256, 1, 10_000, 'connections of one thread to one upstream'),
  UPSTREAM_QUEUE_MAX: count(
    1024,
    0,
    100_000,
    'requests of one thread that wait for a connection to one upstream; one more answers overloaded'
  ),
  UPSTREAM_KEEP_ALIVE_MS: count(
    4000,
    100,
    600_000,
    'milliseconds for which an idle connection to an upstream is kept'
  ),

  SLUICE_DATA_DIR: Type.String({
    default: '.data',
    minLength: 1,
    description:
      'the folder of what must outlast the process: usage that waits for the database, mail without SMTP_URL'
  }),
  USAGE_RECORDING: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: 'off counts no usage: analytics stay empty, limits and metrics work'
  }),
  USAGE_FLUSH_MS: count(
    5000,
    200,
    60_000,
    'milliseconds between two writes of usage, the most that a kill can lose; up to 20000 when the writes are large'
  ),
  USAGE_ROWS_MAX: count(
    20_000,
    100,
    1_000_000,
    'pairs of key and method that one thread counts apart between two writes; further methods of a key are _other'
  ),
  USAGE_SPOOL_BYTES_MAX: count(
    1_073_741_824,
    1_048_576,
    1_099_511_627_776,
    'bytes of usage that wait on the disk while the database is away; what exceeds them waits in memory'
  ),
  FAILED_CALLS_PER_SECOND_MAX: count(
    50,
    0,
    1000,
    'failed calls per second that one thread keeps for their owners to look into'
  ),

  METRICS_KEYS_MAX: count(2000, 0, 100_000, 'api keys with metric series of their own'),
  DRAIN_DELAY_MS: count(
    500,
    0,
    60_000,
    'milliseconds between /readyz turning 503 and the end of new connections, for the load balancer to notice'
  ),
  DRAIN_TIMEOUT_MS: count(
    25_000,
    100,
    600_000,
    'milliseconds that requests under way get to finish at shutdown'
  )
})

export type Config = Readonly<Static<typeof environmentSchema>> & {
  readonly nodeId: string
  /** Where usage waits that the database cannot take. */
  readonly spoolFolder: string
}

/** Throws ConfigurationError with every problem. */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env
): Config {
  const values = readEnvironment(environmentSchema, env)
  const nodeId = values.NODE_ID || `${hostname()}:${values.GATEWAY_PORT}`.slice(0, 64)
  const spoolFolder = resolve(values.SLUICE_DATA_DIR, 'usage-spool')
  return Object.freeze({ ...values, nodeId, spoolFolder })
}

/** uWS reads its limit on a request's head once, when it loads: set before any thread starts. Bytes. */
export function limitHeadBytes(): void {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE = '16384'
}
