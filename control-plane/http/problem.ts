// The one place where anything thrown becomes an answer: RFC 9457 application/problem+json, whatever happened and
// wherever, with the request id. A bug is logged with its stack and tells the outside nothing.
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { isUnavailable } from '../../drizzle/client.ts'
import { Failure, type FailureCode, failures, type InputProblem } from '../errors.ts'
import type { App } from './app-type.ts'
import { newRequestId } from './request-id.ts'
import { toInputProblems } from './validation.ts'

export const problemSchema = Type.Object(
  {
    type: Type.String({ description: 'urn:sluice:problem:<code>' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'what a program branches on' }),
    detail: Type.Optional(Type.String({ description: 'what to do about this very case' })),
    request_id: Type.String(),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          in: Type.String({ description: 'body, query or header' }),
          pointer: Type.String({ description: 'JSON pointer to the field, e.g. #/name' }),
          detail: Type.String()
        })
      )
    )
  },
  { title: 'Problem', description: 'RFC 9457 problem details' }
)

/** Fastify's and its plugins' own errors, by code. */
const frameworkFailures: Readonly<Record<string, FailureCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'media_type_not_supported',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
  FST_UNDER_PRESSURE: 'overloaded'
}

/** The server's answers that mean "not now" or "not yet", by the driver's code. */
const databaseFailures: Readonly<Record<string, FailureCode>> = {
  ER_NO_SUCH_TABLE: 'migrations_pending',
  ER_BAD_FIELD_ERROR: 'migrations_pending',
  ER_BAD_DB_ERROR: 'database_unavailable',
  ER_ACCESS_DENIED_ERROR: 'database_unavailable',
  ER_DBACCESS_DENIED_ERROR: 'database_unavailable',
  ER_LOCK_DEADLOCK: 'overloaded',
  ER_LOCK_WAIT_TIMEOUT: 'overloaded'
}

const unavailableDetails: Partial<Record<FailureCode, string>> = {
  database_unavailable: 'Try again: this process goes on as soon as its database is back.',
  migrations_pending: 'The operator must run `npm run migrate`.'
}

export function registerProblems(app: App): void {
  app.decorateRequest('failureCode', null)
  app.setErrorHandler(answerError)
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, async (request, reply) =>
    send(
      request,
      reply,
      new Failure('not_found', { detail: `There is no ${request.method} ${pathOf(request)}.` })
    )
  )
}

/** Also for what fails before a route is found (Fastify's `frameworkErrors`). */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const failure = toFailure(error) ?? new Failure('internal')
  if (failure.code === 'internal') request.log.error({ err: error }, 'bug')
  else if (failures[failure.code].status >= 500) {
    // Not the whole chain of causes: while a database is down this line comes with every request.
    request.log.warn({ reason: rootOf(error) }, failure.code)
  }
  send(request, reply, failure)
}

/** The failure that an error stands for, or null when it is a bug. */
export function toFailure(error: unknown): Failure | null {
  if (error instanceof Failure) return error
  if (isUnavailable(error)) return unavailable('database_unavailable')
  const databaseCode = driverCodeOf(error)
  const databaseFailure = databaseCode === null ? undefined : databaseFailures[databaseCode]
  if (databaseFailure !== undefined) return unavailable(databaseFailure)
  const { code, statusCode, validation, validationContext, message } = error as FastifyError
  if (validation !== undefined) {
    // An id of the wrong form names nothing, as much as one that was never issued.
    if (validationContext === 'params') return new Failure('not_found')
    const part = partNames[validationContext ?? ''] ?? 'body'
    return new Failure('validation_failed', { errors: toInputProblems(validation, part) })
  }
  const known = frameworkFailures[code]
  if (known !== undefined) return new Failure(known)
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new Failure('malformed_request', { detail: message })
  }
  return null
}

/** Answers a connection whose bytes never became a request. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'malformed_request'
  const { status, title } = failures[code]
  const requestId = newRequestId()
  const detail = 'This is not HTTP/1.1 as RFC 9112 has it.'
  const body = JSON.stringify({
    type: `urn:sluice:problem:${code}`,
    title,
    status,
    code,
    ...(code === 'malformed_request' ? { detail } : {}),
    request_id: requestId
  })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json; charset=utf-8\r\nX-Request-Id: ${requestId}\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

const partNames: Readonly<Record<string, InputProblem['in']>> = {
  body: 'body',
  querystring: 'query',
  headers: 'header'
}

function unavailable(code: FailureCode): Failure {
  const detail = unavailableDetails[code]
  return new Failure(code, { ...(detail === undefined ? {} : { detail }), retryAfterSeconds: 1 })
}

/** Drizzle wraps the driver's error as `cause`. */
function driverCodeOf(error: unknown): string | null {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    const { code, sqlState } = inner as { code?: unknown; sqlState?: unknown }
    if (typeof code === 'string' && typeof sqlState === 'string') return code
  }
  return null
}

function rootOf(error: unknown): string {
  let root = error
  while (root instanceof Error && root.cause !== undefined) root = root.cause
  const { code, message } = root as NodeJS.ErrnoException
  return message || code || String(root)
}

function send(request: FastifyRequest, reply: FastifyReply, failure: Failure): FastifyReply {
  const { status, title } = failures[failure.code]
  const { detail, errors, retryAfterSeconds } = failure.details
  request.failureCode = failure.code
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="sluice"')
  return reply
    .code(status)
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: `urn:sluice:problem:${failure.code}`,
        title,
        status,
        code: failure.code,
        ...(detail === undefined ? {} : { detail }),
        request_id: request.id,
        ...(errors === undefined ? {} : { errors })
      })
    )
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? ''
}
