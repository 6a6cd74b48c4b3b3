// The log of the gateway; its schema is in drizzle/process-log.ts. What may be logged is decided where it is logged: keys
// by their id, upstreams by theirs, and never a path or an upstream's URL.
import { createProcessLog, type Log } from '../../drizzle/process-log.ts'

export { describeError, type Log } from '../../drizzle/process-log.ts'

/** @param level LOG_LEVEL. @param thread the number of the thread; none for the main thread. */
export function createLog(level: string, thread?: number): Log {
  return createProcessLog({ level, service: 'gateway', thread })
}
