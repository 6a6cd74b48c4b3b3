// How a request asks the demo chain to misbehave: by its query, so that an upstream's URL can carry it.
//
//   latency_ms=50          answers so much later
//   size=100000            about so many bytes of logs in each answer to eth_getLogs
//   fail=refuse            closes the connection without an answer
//   fail=reset             resets the connection in the middle of the body
//   fail=truncate          closes the connection in the middle of the body
//   fail=garbage           answers with something that is not HTTP
//   fail=html              answers 200 with a page that is not JSON
//   fail=silent            never answers
//   fail=status:503        answers with that status
const failures = ['refuse', 'reset', 'truncate', 'garbage', 'html', 'silent'] as const
export type Failure = (typeof failures)[number]

const latencyMsMax = 600_000
const sizeBytesMax = 256 * 1024 * 1024

export interface Knobs {
  latencyMs: number
  sizeBytes: number
  failure: Failure | null
  /** 200, or what `fail=status:…` asks for. */
  status: number
}

const untouched: Knobs = Object.freeze({ latencyMs: 0, sizeBytes: 0, failure: null, status: 200 })

/** Throws RangeError on a value that no knob has: a test with a typing error must not pass. */
export function readKnobs(query: string): Knobs {
  if (query === '') return untouched
  const parameters = new URLSearchParams(query)
  const fail = parameters.get('fail')
  const status = fail === null ? undefined : /^status:([2-5]\d\d)$/.exec(fail)?.[1]
  const failure = failures.find((name) => name === fail) ?? null
  if (fail !== null && failure === null && status === undefined) {
    throw new RangeError(`fail=${fail} is none of ${failures.join(', ')}, status:NNN`)
  }
  return {
    latencyMs: readCount(parameters, 'latency_ms', latencyMsMax),
    sizeBytes: readCount(parameters, 'size', sizeBytesMax),
    failure,
    status: status === undefined ? 200 : Number(status)
  }
}

function readCount(parameters: URLSearchParams, name: string, max: number): number {
  const text = parameters.get(name)
  if (text === null) return 0
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= max)) throw new RangeError(`${name}=${text} is not a number from 0 to ${max}`)
  return value
}
