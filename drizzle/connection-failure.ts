// Which of the driver's errors say that the database cannot be asked now, as opposed to "the statement is wrong". Apart
// from client.ts, so that who only reads errors does not load the driver.

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
  'POOL_QUEUE_FULL',
  'POOL_CLOSED',
  'POOL_ACQUIRE_TIMEOUT',
  'CONNECTION_CLOSED',
  'ER_CON_COUNT_ERROR',
  'ER_SERVER_SHUTDOWN'
])

/** Whether the database cannot be asked now. */
export function isConnectionFailure(error: unknown): boolean {
  return hasCode(error, connectionFailureCodes)
}

/** Drizzle wraps the driver's error as `cause`. */
export function hasCode(error: unknown, codes: ReadonlySet<string>): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    const { code } = inner as { code?: unknown }
    if (typeof code === 'string' && codes.has(code)) return true
  }
  return false
}
