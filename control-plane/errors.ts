// The failure catalogue of the REST API: code → status and title. A failure is an expected outcome; a service throws it
// as `new Failure(code)`, and one error handler (http/problem.ts) answers it as RFC 9457 application/problem+json.
// Anything else that is thrown is a bug: it is logged with its stack and answered as `internal`. Titles are constant
// public text; `detail` says what to do about this very case and never holds a secret.

export const failures = {
  malformed_request: { status: 400, title: 'The request cannot be read' },
  validation_failed: { status: 400, title: 'The request holds something that is not valid' },
  email_token_invalid: { status: 400, title: 'The token was used, has expired or was never sent' },
  authentication_required: { status: 401, title: 'An access token is needed' },
  access_token_invalid: { status: 401, title: 'The access token is not valid or has expired' },
  credentials_invalid: { status: 401, title: 'The email or the password is wrong' },
  refresh_token_invalid: { status: 401, title: 'The session has ended: log in again' },
  password_required: {
    status: 403,
    title: 'Send the password of the account, or sign in to it first'
  },
  sign_in_guarded: {
    status: 403,
    title:
      'Too many sign-ins to this account have failed: use a browser that was signed in before, or set a new password by mail'
  },
  email_not_verified: { status: 403, title: 'The email address must be verified first' },
  operator_required: { status: 403, title: 'Only the operator may do this' },
  role_required: { status: 403, title: 'Your role in this org does not allow this' },
  org_suspended: { status: 403, title: 'The org is suspended' },
  origin_not_allowed: { status: 403, title: 'Pages of this origin may not use the session' },
  registration_closed: { status: 403, title: 'New accounts are made by invitation only' },
  reveal_disabled: { status: 403, title: 'Secrets of api keys are not shown again here' },
  not_found: { status: 404, title: 'There is nothing here, or nothing that you may see' },
  name_taken: { status: 409, title: 'The name is taken' },
  chain_in_use: { status: 409, title: 'Endpoints still use the chain' },
  limit_reached: { status: 409, title: 'There are as many as there may be' },
  key_not_active: { status: 409, title: 'The api key was revoked or has expired' },
  secret_not_stored: { status: 409, title: 'The secret of this api key was never stored' },
  idempotency_in_flight: {
    status: 409,
    title: 'A request with this Idempotency-Key is being worked on'
  },
  idempotency_outcome_unknown: {
    status: 409,
    title: 'The first request with this Idempotency-Key was cut off'
  },
  body_too_large: { status: 413, title: 'The request body is too large' },
  media_type_not_supported: { status: 415, title: 'The request body must be application/json' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key belongs to another request' },
  rate_limited: { status: 429, title: 'Too many requests' },
  too_many_streams: { status: 429, title: 'Too many live streams are open' },
  passwords_busy: { status: 429, title: 'Too many passwords are being checked' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  overloaded: { status: 503, title: 'The service is busy' },
  database_unavailable: { status: 503, title: 'The database cannot be reached' },
  migrations_pending: { status: 503, title: 'The database has not been migrated' }
} as const satisfies Record<string, { status: number; title: string }>

export type FailureCode = keyof typeof failures

/** One thing that is wrong with the input. `pointer` is a JSON pointer into the part that `in` names. */
export interface InputProblem {
  in: 'body' | 'query' | 'header'
  pointer: string
  detail: string
}

export interface FailureDetails {
  detail?: string
  errors?: readonly InputProblem[]
  /** When trying again makes sense. Seconds. */
  retryAfterSeconds?: number
}

/** An expected outcome on its way to the one error handler. */
export class Failure extends Error {
  override name = 'Failure'
  readonly code: FailureCode
  readonly details: FailureDetails
  constructor(code: FailureCode, details: FailureDetails = {}) {
    super(details.detail ?? failures[code].title)
    this.code = code
    this.details = details
  }
}

/** The failure for fields of the body that a schema cannot judge, e.g. an origin with a path. */
export function invalidFields(problems: readonly { pointer: string; detail: string }[]): Failure {
  return new Failure('validation_failed', {
    errors: problems.map((problem) => ({ in: 'body', ...problem }))
  })
}
