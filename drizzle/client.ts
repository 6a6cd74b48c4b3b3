// The way to the database. It guarantees what mysql2 leaves open: no statement waits for ever (a frozen server would hold
// it and its connection without end), no queue grows without bound, every moment is read and written in UTC, and values
// are escaped as the server reads them, however it is configured (connection-guard.ts).
import { drizzle } from 'drizzle-orm/mysql2'
import mysql from 'mysql2'
import { hasCode, isConnectionFailure } from './connection-failure.ts'
import { type CommandConnection, guardConnection, guardPool } from './connection-guard.ts'
import { parseDatabaseUrl } from './database-url.ts'
import * as schema from './schema/index.ts'

export { isConnectionFailure } from './connection-failure.ts'

export interface DatabaseOptions {
  /** Connections of the pool. */
  connectionsMax: number
  /**
   * A statement that has had no answer for so long fails, and its connection with it; so does one that has waited so
   * long for a connection. Milliseconds.
   */
  statementTimeoutMs: number
  /** Statements that may wait for a connection; one more fails at once. */
  queueMax: number
  connectTimeoutMs: number
}

export const databaseDefaults: DatabaseOptions = {
  connectionsMax: 10,
  statementTimeoutMs: 5000,
  queueMax: 1000,
  connectTimeoutMs: 3000
}

export type Database = ReturnType<typeof openDatabase>
/** What a repo works on: the pool, or one transaction of it. */
export type Queryable =
  | Database['orm']
  | Parameters<Parameters<Database['orm']['transaction']>[0]>[0]
export type Transaction = Parameters<Parameters<Database['orm']['transaction']>[0]>[0]

/**
 * A pool on what DATABASE_URL names (database-url.ts). Opens no connection until the first statement.
 * Failures are the driver's own errors; see isUnavailable.
 */
export function openDatabase(url: string, options: Partial<DatabaseOptions> = {}) {
  const limits = { ...databaseDefaults, ...options }
  const { tls, ...address } = parseDatabaseUrl(url)
  const pool = mysql.createPool({
    ...address,
    ...(tls === null ? {} : { ssl: tls as mysql.SslOptions }),
    connectionLimit: limits.connectionsMax,
    maxIdle: limits.connectionsMax,
    queueLimit: limits.queueMax,
    connectTimeout: limits.connectTimeoutMs,
    enableKeepAlive: true,
    timezone: 'Z',
    charset: 'utf8mb4_bin',
    multipleStatements: false,
    supportBigNumbers: true
  })
  guardPool(pool, limits.statementTimeoutMs)
  const streams = new Set<CommandConnection['stream']>()
  pool.on('connection', (opened) => {
    const connection = opened as unknown as CommandConnection
    const { stream } = connection
    streams.add(stream)
    stream.once('close', () => streams.delete(stream))
    guardConnection(connection, limits.statementTimeoutMs)
  })
  return {
    orm: drizzle(pool, { schema, mode: 'default' }),
    /** For what Drizzle has no words for (locks, DDL), or builds too slowly for what a gateway counts. */
    pool: pool.promise(),
    /** Resolves when every connection is closed; a connection that does not answer is cut. */
    close: () => closePool(pool, streams)
  }
}

/** Connections that are busy so long after the goodbye are cut. Milliseconds. */
const goodbyeMs = 1000

async function closePool(
  pool: mysql.Pool,
  streams: ReadonlySet<CommandConnection['stream']>
): Promise<void> {
  // mysql2's own promise of an end never settles once a connection has failed, so the sockets are what we wait for.
  pool.end(() => undefined)
  const closed = [...streams].map(
    (stream) => new Promise<void>((resolve) => stream.once('close', resolve))
  )
  const cut = setTimeout(() => {
    const error = new Error(`the database gave no answer within ${goodbyeMs} ms of the goodbye`)
    for (const stream of streams) stream.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
  }, goodbyeMs)
  await Promise.all(closed)
  clearTimeout(cut)
}

const readOnlyCodes = new Set([
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  'ER_READ_ONLY_MODE'
])

/** Whether a statement should be tried again later: the database cannot be asked, or takes no writes for now. */
export function isUnavailable(error: unknown): boolean {
  return isConnectionFailure(error) || hasCode(error, readOnlyCodes)
}

/** Whether an error says that a unique index already holds the value. */
export function isDuplicate(error: unknown, indexName?: string): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    const { code, sqlMessage } = inner as { code?: unknown; sqlMessage?: unknown }
    if (code !== 'ER_DUP_ENTRY') continue
    return indexName === undefined || String(sqlMessage).includes(indexName)
  }
  return false
}
