// The log: JSON lines on standard output. What may be logged is decided where it is logged; secrets have no field here:
// keys by their id, upstreams by theirs, errors by type, code and stack.
import { type Logger, pino } from 'pino'

export type Log = Logger

/** @param level LOG_LEVEL. @param name says which part speaks, e.g. `thread 2`. */
export function createLog(level: string, name: string): Log {
  // Synchronous: a line that was logged is out, even when the process ends the next moment.
  return pino({ level, base: { name } }, pino.destination({ dest: 1, sync: true }))
}
