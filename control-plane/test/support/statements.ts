// Every statement that a database client sends, with its values, as the server gets it.
import type { Database } from '../../../drizzle/client.ts'

export interface Statement {
  sql: string
  values: unknown[]
}

/** The driver's pool hands its connections a command that is made already. */
type Command = string | { sql: string; values?: unknown }
interface Sender {
  query(command: Command, values?: unknown): unknown
  execute: Sender['query']
}

/** Records from now on; connections that are open already are recorded as well. */
export async function recordStatements(database: Database): Promise<Statement[]> {
  const statements: Statement[] = []
  const connection = await database.pool.getConnection()
  // All connections of the driver share it.
  const sender = Object.getPrototypeOf(connection.connection) as Sender
  connection.release()
  for (const name of ['query', 'execute'] as const) {
    const send = sender[name]
    sender[name] = function (this: Sender, command, values, ...rest: unknown[]) {
      const made = typeof command === 'string' ? { sql: command, values } : command
      const used = [values, made.values].find((list) => Array.isArray(list))
      statements.push({ sql: made.sql, values: used ?? [] })
      return Reflect.apply(send, this, [command, values, ...rest])
    }
  }
  return statements
}
