// The log of both planes, in one schema: a JSON object a line, on standard output.
//
//   level       fatal, error, warn, info, debug
//   time        ISO 8601, UTC
//   service     gateway, control-plane
//   thread      the number of a gateway's thread; absent on its main thread and on the control plane
//   request_id  that of the request in question, as in the client's X-Request-Id
//   msg         what happened; the further fields say to what
//   err         { type, code, message, stack, cause } of a bug; what an operator can mend has a sentence and no stack
//
// What is secret never gets out: known fields are cut out whatever object they come in, a statement's values (tenants'
// data) are never told, and an api key is masked wherever in a line it stands. It lives beside the database client
// because that is what both planes share.
import { type DestinationStream, type Logger, pino } from 'pino'
import { sentenceOfDatabaseProblem } from './database-problem.ts'

export type Log = Logger

export interface ProcessLogOptions {
  /** LOG_LEVEL. */
  readonly level: string
  readonly service: 'gateway' | 'control-plane'
  readonly thread?: number | undefined
  /** Default: standard output, synchronously: a line that was logged is out, even when the process ends the next moment. */
  readonly destination?: DestinationStream | undefined
}

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

export function createProcessLog(options: ProcessLogOptions): Log {
  const {
    level,
    service,
    thread,
    destination = pino.destination({ dest: 1, sync: true })
  } = options
  return pino(
    {
      level,
      base: thread === undefined ? { service } : { service, thread },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
      redact: {
        paths: secretFields.flatMap((field) => {
          const key = `["${field}"]`
          return [key, `*${key}`, `*.*${key}`]
        }),
        censor: '[redacted]'
      },
      serializers: { err: describeError },
      hooks: { streamWrite: maskKeys }
    },
    destination
  )
}

/** The value of `err`. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : typeof error
  const { name, code, errno } = error as Error & { code?: unknown; errno?: unknown }
  const sentence = sentenceOfDatabaseProblem(error)
  if (sentence !== null) return { type: name, code: codeOf(error), message: sentence }
  const stack = framesOf(error.stack)
  // Drizzle's message is the statement and its values; what is wrong with it is the cause.
  if ('query' in error && error.cause instanceof Error) {
    return { ...(describeError(error.cause) as object), stack }
  }
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) }
  return { type: name, code, errno, message: error.message, stack, ...cause }
}

function codeOf(error: unknown): unknown {
  let code: unknown
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    code ??= (inner as { code?: unknown }).code
  }
  return code
}

function framesOf(stack = ''): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}

/** Ours are known by their form, mistyped and cut ones too; an imported one only by its place in a path. */
export function maskKeys(text: string): string {
  return text
    .replaceAll(/\/api(?:=|%3d)[^/?\s"\\]*/gi, '/api=[redacted]')
    .replaceAll(/slc(?:_|%5f)[0-9A-Za-z%]{12,}/gi, '[redacted]')
}
