// The failure catalogue of the gateway: every way in which a request can be refused, as frozen constants. A failure is
// an expected outcome: stages return it, respond writes it, nothing throws it. Public texts are constant; what is
// particular to one request goes into `error.data` (see rpc/error-answer.ts) and into the log.
//
// Statuses and codes were chosen by what viem, ethers and web3.js do with them: 403 and 413 make viem send four times,
// ethers breaks on a single `id: null` object as the answer to a batch.

export type Outcome = 'ok' | 'client_error' | 'rate_limited' | 'upstream_error'

export interface Failure {
  readonly reason: string
  readonly status: number
  /** The status line that uWS writes, e.g. `429 Too Many Requests`. */
  readonly statusLine: string
  readonly code: number
  readonly message: string
  readonly outcome: Outcome
  /** The JSON of `error` up to the request id: `"code":…,"message":…,"data":{"reason":…,"request_id":"`. */
  readonly head: string
}

const statusTexts: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout'
}

interface Row {
  readonly status: number
  readonly code: number
  readonly outcome: Outcome
  readonly message: string
}

const unauthorized = { status: 401, code: -32097, outcome: 'client_error' } as const
const malformed = { status: 400, code: -32600, outcome: 'client_error' } as const
const unavailable = { status: 503, code: -32603, outcome: 'upstream_error' } as const
const badGateway = { status: 502, code: -32603, outcome: 'upstream_error' } as const

const rows = {
  parse_error: { ...malformed, code: -32700, message: 'The body is not valid JSON in UTF-8.' },
  invalid_request: { ...malformed, message: 'The request is not a valid JSON-RPC 2.0 request.' },
  batch_too_large: { ...malformed, message: 'The batch has more calls than allowed: split it.' },
  cost_too_high: {
    ...malformed,
    message: 'This request costs more than its limits ever allow at once: split it.'
  },
  length_required: {
    ...malformed,
    status: 411,
    message: 'Send the body with a Content-Length and without Transfer-Encoding.'
  },
  body_too_large: { ...malformed, status: 413, message: 'The body is larger than allowed.' },
  body_timeout: {
    ...malformed,
    status: 408,
    message: 'The body stopped coming, or took too long to come.'
  },
  unsupported_media_type: {
    ...malformed,
    status: 415,
    message: 'The body is compressed: send it as it is, without Content-Encoding.'
  },
  http_method_not_allowed: {
    ...malformed,
    status: 405,
    message: 'This HTTP method is not served here: send JSON-RPC as POST.'
  },
  key_missing: {
    ...unauthorized,
    message:
      'No API key: call /api=<key>, or send it as X-API-Key, Authorization: Bearer or the password of Basic.'
  },
  key_invalid: { ...unauthorized, message: 'The API key is not valid.' },
  key_revoked: { ...unauthorized, message: 'The API key has been revoked.' },
  key_expired: { ...unauthorized, message: 'The API key has expired.' },
  endpoint_disabled: { ...unauthorized, message: 'The endpoint of this API key is paused.' },
  origin_not_allowed: {
    ...unauthorized,
    message: 'This Origin is not on the allowlist of the endpoint.'
  },
  ip_not_allowed: {
    ...unauthorized,
    message: 'This address is not on the allowlist of the endpoint.'
  },
  method_not_allowed: {
    status: 200,
    code: -32004,
    outcome: 'client_error',
    message: 'This method is not on the allowlist of the endpoint.'
  },
  rate_limited: {
    status: 429,
    code: -32005,
    outcome: 'rate_limited',
    message: 'Too many requests per second.'
  },
  quota_exceeded: {
    status: 402,
    code: -32098,
    outcome: 'rate_limited',
    message: 'The daily quota is used up.'
  },
  upstream_unavailable: { ...badGateway, message: 'The upstream node cannot be reached.' },
  upstream_bad_response: {
    ...badGateway,
    message: 'The upstream node gave no usable answer.'
  },
  upstream_timeout: {
    ...badGateway,
    status: 504,
    message: 'The upstream node did not answer in time.'
  },
  overloaded: { ...unavailable, message: 'The gateway is at its capacity: try again.' },
  draining: { ...unavailable, message: 'This gateway is shutting down: try again.' },
  key_store_unavailable: {
    ...unavailable,
    message: 'The API key cannot be checked at the moment: try again.'
  },
  internal: {
    status: 500,
    code: -32603,
    outcome: 'upstream_error',
    message: 'The gateway failed on this request.'
  }
} as const satisfies Record<string, Row>

export type Reason = keyof typeof rows
export type Failures = Readonly<Record<Reason, Failure>>

/** The catalogue. `quotaStatus` is QUOTA_STATUS: 402, which no client library retries, or 429. */
export function createFailures(quotaStatus: 402 | 429): Failures {
  const entries = Object.entries(rows).map(([reason, row]: [string, Row]) => {
    const status = reason === 'quota_exceeded' ? quotaStatus : row.status
    return [reason, failureOf(reason, { ...row, status })]
  })
  return Object.freeze(Object.fromEntries(entries))
}

function failureOf(reason: string, row: Row): Failure {
  const { status, code, message } = row
  return Object.freeze({
    ...row,
    reason,
    statusLine: statusLineOf(status),
    head: `"code":${code},"message":${JSON.stringify(message)},"data":{"reason":"${reason}","request_id":"`
  })
}

/** The status line that uWS writes, for any status an upstream may answer with. */
export function statusLineOf(status: number): string {
  return `${status} ${statusTexts[status] ?? 'Status'}`
}
