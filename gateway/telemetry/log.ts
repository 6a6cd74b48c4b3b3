// The log: JSON lines on standard output. What may be logged is decided where it is logged; secrets have no field here:
// keys by their id, upstreams by theirs, errors by type, code and stack, and never by the statement that failed, whose
// values are tenants' data.
import { type Logger, pino } from 'pino'

export type Log = Logger

/** @param level LOG_LEVEL. @param name says which part speaks, e.g. `thread 2`. */
export function createLog(level: string, name: string): Log {
  const options = { level, base: { name }, serializers: { err: describeError } }
  // Synchronous: a line that was logged is out, even when the process ends the next moment.
  return pino(options, pino.destination({ dest: 1, sync: true }))
}

/** Exported for its test. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : typeof error
  // Drizzle's message is the statement and its values; what is wrong with it is the cause.
  if ('query' in error && error.cause instanceof Error) return describeError(error.cause)
  const { name, code, errno } = error as Error & { code?: unknown; errno?: unknown }
  return {
    type: name,
    code,
    errno,
    message: error.message,
    stack: error.stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .join('\n'),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) })
  }
}
