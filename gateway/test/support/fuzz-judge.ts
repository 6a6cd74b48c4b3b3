// Judges what a client received, by content alone.
import { anyMarker, type FuzzAnswer } from './fuzz-answers.ts'
import type { RawAnswer } from './raw-client.ts'

export type Verdict = 'exact' | 'failed cleanly' | 'incomplete'

export interface Received {
  readonly marker: string
  /** What the node answered to this request; more than one when the gateway repeated it. */
  readonly answers: readonly FuzzAnswer[]
  /** The complete answer, if there is one. */
  readonly answer: RawAnswer | null
  /** All that came for this request when there is none. */
  readonly rest: string
}

const ownFailures: ReadonlySet<number> = new Set([502, 503, 504])
/** What the gateway and its HTTP engine add to an answer. */
const ownHeaders: ReadonlySet<string> = new Set([
  'date',
  'content-length',
  'transfer-encoding',
  'connection',
  'x-request-id',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'vary',
  'uwebsockets'
])

/** Throws when it is neither the answer nor a clean failure. */
export function judge({ marker, answers, answer, rest }: Received): Verdict {
  const foreign = foreignMarker(marker, answer === null ? rest : `${answer.head}\r\n${answer.body}`)
  if (foreign !== null) throw new Error(`it holds ${foreign}, which is not its own ${marker}`)
  if (answer !== null && answers.some((one) => differenceFrom(one, answer) === null)) return 'exact'
  const [only] = answers
  if (only !== undefined && answers.every(({ isWhole }) => isWhole)) {
    const why = answer === null ? 'it is incomplete' : differenceFrom(only, answer)
    throw new Error(`the node sent a whole answer, and the client got another: ${why}`)
  }
  if (answer === null) return 'incomplete'
  if (isOwnFailure(answer)) return 'failed cleanly'
  const why = only === undefined ? 'the node sent none' : differenceFrom(only, answer)
  throw new Error(`a complete answer that the node did not send: ${why}`)
}

function foreignMarker(marker: string, text: string): string | null {
  const own = marker.slice(1, -1)
  for (const [found] of text.matchAll(anyMarker)) if (found !== own) return found
  return null
}

function differenceFrom(expected: FuzzAnswer, answer: RawAnswer): string | null {
  if (answer.status !== expected.status) {
    return `status ${answer.status} ${answer.body.slice(0, 200)}, not ${expected.status}`
  }
  for (const [name, value] of expected.headers) {
    if (answer.headers[name] !== value) return `${name} is ${answer.headers[name]}, not ${value}`
  }
  const names = new Set(expected.headers.map(([name]) => name))
  for (const name of Object.keys(answer.headers)) {
    if (!names.has(name) && !ownHeaders.has(name) && !name.startsWith('x-odd'))
      return `it has ${name}`
  }
  if (answer.body === expected.body) return null
  return `a body of ${answer.body.length} bytes, not the one of ${expected.body.length}`
}

function isOwnFailure({ status, body }: RawAnswer): boolean {
  if (!ownFailures.has(status)) return false
  const { jsonrpc, error } = JSON.parse(body)
  return jsonrpc === '2.0' && typeof error?.code === 'number'
}
