// The way to the database, and the only importer of mysql2. It guarantees three things mysql2 leaves open:
// no statement waits for ever (a frozen server would hold it and its connection without end), no queue grows without
// bound, and every moment is read and written in UTC.
import { drizzle } from 'drizzle-orm/mysql2'
import mysql from 'mysql2'
import * as schema from './schema/index.ts'

export interface DatabaseOptions {
  /** Connections of the pool. */
  connectionsMax: number
  /** A statement that has had no answer for so long fails, and its connection with it. Milliseconds. */
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
 * A pool on `mysql://user:password@host:port/database`. Opens no connection until the first statement.
 * Failures are the driver's own errors; see isConnectionFailure.
 */
export function openDatabase(url: string, options: Partial<DatabaseOptions> = {}) {
  const limits = { ...databaseDefaults, ...options }
  const pool = mysql.createPool({
    uri: url,
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
  const streams = new Set<CommandConnection['stream']>()
  pool.on('connection', (connection) => {
    const { stream } = connection as unknown as CommandConnection
    streams.add(stream)
    stream.once('close', () => streams.delete(stream))
    limitStatements(connection as unknown as CommandConnection, limits.statementTimeoutMs)
  })
  return {
    orm: drizzle(pool, { schema, mode: 'default' }),
    /** For what Drizzle has no words for (locks, DDL), or builds too slowly for what a gateway counts. */
    pool: pool.promise(),
    /** Resolves when every connection is closed; a connection that does not answer is cut. */
    close: () => closePool(pool, streams)
  }
}

/** The part of mysql2's connection that a deadline needs; its typings do not show it. */
interface CommandConnection {
  addCommand(command: Command): Command
  stream: { destroy(error: Error): void; once(event: 'close', listener: () => void): unknown }
}
interface Command {
  once(event: 'end' | 'error', listener: () => void): unknown
}

function limitStatements(connection: CommandConnection, timeoutMs: number): void {
  const addCommand = connection.addCommand.bind(connection)
  const timers = new Set<NodeJS.Timeout>()
  connection.addCommand = (command) => {
    const timer = setTimeout(() => {
      const error = new Error(`the database gave no answer for ${timeoutMs} ms`)
      connection.stream.destroy(Object.assign(error, { code: 'ETIMEDOUT', fatal: true }))
    }, timeoutMs)
    timers.add(timer)
    const done = () => {
      clearTimeout(timer)
      timers.delete(timer)
    }
    command.once('end', done)
    command.once('error', done)
    return addCommand(command)
  }
  // A command whose connection breaks says neither, and its timer would keep the process alive.
  connection.stream.once('close', () => {
    for (const timer of timers) clearTimeout(timer)
    timers.clear()
  })
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

const connectionFailureCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'EHOSTUNREACH',
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'POOL_CLOSED',
  'ER_CON_COUNT_ERROR',
  'ER_SERVER_SHUTDOWN'
])

/** Whether an error says "the database cannot be asked now", as opposed to "the statement is wrong". Drizzle wraps the driver's error as `cause`. */
export function isConnectionFailure(error: unknown): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    const code = (inner as { code?: unknown }).code
    if (typeof code === 'string' && connectionFailureCodes.has(code)) return true
    if (/Queue limit reached|Pool is closed|connection is in closed state/.test(inner.message))
      return true
  }
  return false
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
