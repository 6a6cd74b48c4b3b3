// The log: one JSON object a line, on stdout. What is secret never gets that far: known fields are cut out whatever
// object they come in, and a request's line holds its path without the query.
import { type DestinationStream, type Logger, pino } from 'pino'

const secretFields = [
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'passwordHash',
  'password_hash',
  'secret',
  'token',
  'access_token',
  'refreshToken'
]

export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service: 'control-plane' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: secretFields.flatMap((field) => {
        const key = `["${field}"]`
        return [key, `*${key}`, `*.*${key}`]
      }),
      censor: '[redacted]'
    },
    serializers: { err: serializeError }
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

/** A failed statement's message repeats its parameters, which may be hashes or sealed secrets; its cause says enough. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { cause, name, stack } = error
  const isStatement = error.message.startsWith('Failed query:')
  return {
    type: name,
    message: isStatement ? 'a statement failed' : maskKeys(error.message),
    code: (error as { code?: unknown }).code,
    stack: isStatement ? framesOf(stack) : maskKeys(stack ?? ''),
    ...(cause === undefined ? {} : { cause: serializeError(cause) })
  }
}

function framesOf(stack = ''): string {
  return stack
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .join('\n')
}

/** An api key that somebody sent to the wrong door. */
export function maskKeys(text: string): string {
  return text.replaceAll(/\/api=[^/?\s]*/g, '/api=[redacted]')
}
