// The log of the control plane; its schema is in drizzle/process-log.ts. A request's line holds its path without the query.
import type { DestinationStream, Logger } from 'pino'
import { createProcessLog } from '../../drizzle/process-log.ts'

export function createLogger(level: string, destination?: DestinationStream): Logger {
  return createProcessLog({ level, service: 'control-plane', destination })
}
