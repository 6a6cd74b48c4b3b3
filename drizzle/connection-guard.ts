// What every connection gets before its first statement, because neither the driver nor the server's configuration can be
// trusted with it. The parts of mysql2 that its typings do not show are named here and nowhere else; drizzle/test/client
// and drizzle/test/server-modes hold them to it.
//
// - A session of our own. The driver escapes values on this side with backslashes: under NO_BACKSLASH_ESCAPES, which an
//   operator can set for the whole server, a quote in a value would end its literal. So each connection sets MySQL's own
//   default modes, which also makes MariaDB as strict as MySQL is, and UTC.
// - A deadline for each statement. mysql2 has none: a frozen server would hold a statement and its connection for ever.
// - An end at read-only. After a failover the old primary keeps its connections and refuses every write on them: such a
//   connection is closed when it comes back, so that the next one is made to whatever the name now leads to.
// - A deadline for the wait for a connection, which belongs to the pool.
// - A code on errors for which the driver has only words.

/** MySQL 8's and 9's default. No NO_BACKSLASH_ESCAPES, no ANSI_QUOTES, no PAD_CHAR_TO_FULL_LENGTH. */
export const sqlMode =
  'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'

const sessionStatement = `SET SESSION sql_mode = '${sqlMode}', time_zone = '+00:00'`

/** ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE. */
const readOnlyNumbers: ReadonlySet<unknown> = new Set([1290, 1792, 1836])

export interface CommandConnection {
  addCommand(command: Command): Command
  _addCommandClosedState(command: Command): void
  query(statement: string, done: (error: Error | null) => void): unknown
  release(): void
  destroy(): void
  stream: { destroy(error: Error): void; once(event: 'close', listener: () => void): unknown }
}
interface Command {
  onResult?: ((this: unknown, error: unknown, ...rest: unknown[]) => void) | undefined
  once(event: 'end' | 'error', listener: (error?: unknown) => void): unknown
}

/** @param statementTimeoutMs a statement without an answer for so long fails, and its connection with it. */
export function guardConnection(connection: CommandConnection, statementTimeoutMs: number): void {
  limitStatements(connection, statementTimeoutMs)
  endAtReadOnly(connection)
  const addClosed = connection._addCommandClosedState.bind(connection)
  connection._addCommandClosedState = (command) => {
    const { onResult } = command
    command.onResult = onResult && ((error, ...rest) => onResult(coded(error), ...rest))
    addClosed(command)
  }
  // Queued ahead of the statement that this connection was opened for, which then fails with the connection.
  connection.query(sessionStatement, (error) => {
    if (error !== null) connection.destroy()
  })
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

/** Not at once: a transaction still sends its ROLLBACK, and its failure would hide the error that led to it. */
function endAtReadOnly(connection: CommandConnection): void {
  const addCommand = connection.addCommand.bind(connection)
  const look = (error: unknown) => {
    const { errno } = (error ?? {}) as { errno?: unknown }
    if (readOnlyNumbers.has(errno)) connection.release = () => connection.destroy()
  }
  connection.addCommand = (command) => {
    const { onResult } = command
    if (onResult === undefined) command.once('error', look)
    else {
      command.onResult = function (error, ...rest) {
        look(error)
        onResult.call(this, error, ...rest)
      }
    }
    return addCommand(command)
  }
}

type Callback = (error: Error | null, connection?: { release(): void }) => void

/**
 * Bounds the wait for a connection, which mysql2 does not: behind a server that hangs, each of the waiting would get its
 * turn only when all before it have failed. Gives a code to what the pool itself refuses.
 */
export function guardPool(pool: object, acquireTimeoutMs: number): void {
  const inner = pool as { getConnection(callback: Callback): void }
  const getConnection = inner.getConnection.bind(pool)
  inner.getConnection = (callback) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      const error = new Error(`no connection to the database was free for ${acquireTimeoutMs} ms`)
      callback(Object.assign(error, { code: 'POOL_ACQUIRE_TIMEOUT' }))
    }, acquireTimeoutMs)
    getConnection((error, connection) => {
      clearTimeout(timer)
      // Nobody waits for it any more: the next in the queue gets it.
      if (isLate) connection?.release()
      else callback(error && (coded(error) as Error), connection)
    })
  }
}

/** The driver's words, in mysql2 3.24, where it gives no code. */
const codeOfWords = [
  ['Queue limit reached', 'POOL_QUEUE_FULL'],
  ['Pool is closed', 'POOL_CLOSED'],
  ['connection is in closed state', 'CONNECTION_CLOSED']
] as const

/** By the message, because there is nothing else; a code, where there is one, is left alone. */
function coded(error: unknown): unknown {
  if (!(error instanceof Error) || 'code' in error) return error
  const known = codeOfWords.find(([words]) => error.message.includes(words))
  return known === undefined ? error : Object.assign(error, { code: known[1] })
}
