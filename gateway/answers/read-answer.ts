// What the node's answer to the calls of an exchange says of them: whether it is an answer at all, which calls failed, and
// which of their methods the node knows. The rule, on `evm` and `jsonrpc` chains (on `rest` chains every answer passes):
//
// | the node answers with | the client gets |
// | --- | --- |
// | a JSON-RPC result or error (for a batch an array, or one error for all of it), under 2xx, 4xx or 5xx | it, as it came: many nodes send their errors under 400, 404 or 500 |
// | nothing, to notifications | it, as it came |
// | 429 | it, as it came: clients slow down by its status and Retry-After |
// | 3xx, 401, 402, 403, 407, whatever the body | `upstream_bad_response`: no client can mend the operator's URL, key or bill |
// | HTML, text, cut JSON, nothing, an object with neither result nor error, one result for a batch | `upstream_bad_response` |
// | an array without an answer to one of the calls | it, as it came; that call counts as failed by the upstream |
// | an event stream, or an answer that is too large to look into (rpc/answer.ts) | it, as it came; of a large one both ends are looked at |
//
// Where the first bytes of a large answer were already sent when its end shows that it is cut, it counts as
// `upstream_bad_response`, and the client has what the node sent.
import type { Exchange } from '../exchange.ts'
import {
  beginsAnswer,
  endsAnswer,
  holdsResults,
  isBlank,
  isPlain,
  lastByteOf,
  mayHoldError,
  openAnswer,
  outlineOf,
  readVerdicts
} from '../rpc/answer.ts'

/** Why what the node sent is no answer. */
export interface AnswerFault {
  /** For the log. */
  readonly code: string
  /** For the client; '' where it is the operator's business alone. */
  readonly detail: string
}

const tooManyRequests = 429
/** The status of who may not, has not paid, or has not signed in: at the node that is the operator. */
const operatorStatuses: ReadonlySet<number> = new Set([401, 402, 403, 407])

/** Looks into a whole answer, and notes the verdicts of its calls. Null when it is one. */
export function readAnswer(exchange: Exchange, answer: Buffer): AnswerFault | null {
  const { chain, scan, body, status } = exchange
  if (chain === null || scan === null || body === null) return null
  if (isOperatorsBusiness(status)) return faultOfStatus(status)
  const opened = openAnswer(answer, encodingOf(exchange))
  const code =
    typeof opened === 'string' ? judgeUnread(exchange, answer, opened) : judge(exchange, opened)
  return code === null || status === tooManyRequests ? null : faultOf(code, status)
}

/** Looks at the beginning of an answer that is going to be streamed. Null when it can be one. */
export function readBeginning(exchange: Exchange, bytes: Buffer): AnswerFault | null {
  const { scan, status } = exchange
  if (scan === null) return null
  if (isOperatorsBusiness(status)) return faultOfStatus(status)
  if (status === tooManyRequests || isEventStream(exchange)) return null
  const isGood = isPlain(encodingOf(exchange))
    ? beginsAnswer(bytes, scan.isBatch)
    : !isPage(exchange)
  return isGood ? null : faultOf('not_json_rpc', status)
}

/** The same of the end of a streamed answer, given its last byte that is not white space. */
export function readEnd(exchange: Exchange, lastByte: number): AnswerFault | null {
  const { scan, status } = exchange
  if (scan === null || status === tooManyRequests || isEventStream(exchange)) return null
  if (!isPlain(encodingOf(exchange)) || endsAnswer(lastByte, scan.isBatch)) return null
  return faultOf('cut', status)
}

/** An error is short: what is too large to be looked into is a result, when it is JSON at all. */
export function learnFromLarge({ chain, scan, status, answerHeaders }: Exchange): void {
  const [call] = scan?.calls ?? []
  if (chain === null || call === undefined || scan?.isBatch || status !== 200) return
  if (String(answerHeaders?.['content-type'] ?? '').includes('json')) chain.learn(call.method)
}

/** Why it is no answer: a code for the log; null when it is one. */
function judge(exchange: Exchange, opened: Buffer): string | null {
  if (isEventStream(exchange)) return null
  const expected = answersExpected(exchange)
  if (isBlank(opened)) return expected === 0 ? null : 'empty'
  const isNews = hasNews(exchange)
  if (exchange.scan?.isBatch) {
    const isPlainGood = !isNews && !mayHoldError(opened) && holdsResults(opened, expected)
    return isPlainGood ? null : judgeParsed(exchange, opened)
  }
  const outline = outlineOf(opened)
  if (outline === 'neither') return 'not_json_rpc'
  return outline === 'error' || isNews ? judgeParsed(exchange, opened) : null
}

/** Sets the verdicts, and learns the methods that have a result. */
function judgeParsed(exchange: Exchange, opened: Buffer): string | null {
  const { chain, scan, body, refusedCalls, status } = exchange
  if (chain === null || scan === null || body === null) return null
  const isSent = (index: number) => refusedCalls === null || !refusedCalls.has(index)
  const verdicts = readVerdicts(opened, body, scan, isSent)
  if (verdicts === null) return 'not_json_rpc'
  exchange.verdicts = verdicts
  if (status !== 200) return null
  for (const [index, verdict] of verdicts) {
    if (verdict === 'result') chain.learn(scan.calls[index]?.method ?? '')
  }
  return null
}

function judgeUnread(exchange: Exchange, answer: Buffer, why: 'unread' | 'broken'): string | null {
  if (why === 'broken') return 'undecodable'
  const isBatch = exchange.scan?.isBatch ?? false
  const isGood = isPlain(encodingOf(exchange))
    ? beginsAnswer(answer, isBatch) && endsAnswer(lastByteOf(answer, 0), isBatch)
    : !isPage(exchange)
  if (!isGood && !isEventStream(exchange)) return 'not_json_rpc'
  learnFromLarge(exchange)
  return null
}

/** How many of the calls that were sent have an id, and so get an answer. */
function answersExpected({ scan, refusedCalls }: Exchange): number {
  const calls = scan?.calls ?? []
  let expected = 0
  for (let index = 0; index < calls.length; index++) {
    const isSent = refusedCalls === null || !refusedCalls.has(index)
    if (isSent && (calls[index]?.idStart ?? -1) >= 0) expected++
  }
  return expected
}

function hasNews({ chain, scan, status }: Exchange): boolean {
  if (chain === null || scan === null || status !== 200) return false
  const { methodNames } = chain
  return scan.calls.some(({ method }) => methodNames.isNews(method))
}

const isOperatorsBusiness = (status: number): boolean =>
  (status >= 300 && status < 400) || operatorStatuses.has(status)

const faultOfStatus = (status: number): AnswerFault => ({ code: `status_${status}`, detail: '' })

function faultOf(code: string, status: number): AnswerFault {
  const detail =
    status < 400
      ? 'The node answered, but not with JSON-RPC.'
      : `The node answered with status ${status}, and not with JSON-RPC.`
  return { code, detail }
}

const encodingOf = ({ answerHeaders }: Exchange): string =>
  String(answerHeaders?.['content-encoding'] ?? '')

const typeOf = ({ answerHeaders }: Exchange): string =>
  String(answerHeaders?.['content-type'] ?? '').toLowerCase()

const isEventStream = (exchange: Exchange): boolean =>
  typeOf(exchange).startsWith('text/event-stream')

/** What cannot be looked into is told from an answer by its type. */
const isPage = (exchange: Exchange): boolean => typeOf(exchange).startsWith('text/html')
