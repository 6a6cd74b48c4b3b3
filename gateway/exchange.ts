// One client request and its answer. Every field is set in the constructor, in the order of the pipeline, so that all
// exchanges have one shape and each stage's share can be seen at a glance. A stage writes its own fields and reads those
// of the stages before it.
import type { Dispatcher } from 'undici'
import type { ArrayMerge } from './answers/array-merge.ts'
import type { Failure } from './errors.ts'
import type { CachedKey } from './keys/cached-key.ts'
import type { Holding } from './org-holdings.ts'
import type { Verdicts } from './rpc/answer.ts'
import type { Scan } from './rpc/scan.ts'
import type { Chain } from './upstreams/chains.ts'
import type { AnswerHeaders, UpstreamPool } from './upstreams/pool.ts'
import type { HttpResponse } from './uws.ts'

/** What the exchange still waits for before its calls can be charged; a bit set. */
export const waitsForKey = 1
export const waitsForBody = 2

export class Exchange {
  /** Valid until `isOver`. */
  readonly res: HttpResponse
  /** Monotonic milliseconds of this thread. */
  readonly startedMs: number
  /** The client has gone, or the answer is complete: `res` must not be touched. */
  isOver = false

  // accept
  requestId = ''
  method = ''
  secret = ''
  /** What comes after the key, or the whole target for a header key: `/path?query`. */
  target = '/'
  /** What came before that in the client's path: `/api=<key>`, or nothing for a header key. */
  ownPrefix = ''
  /** Headers for the upstream, flat: name, value, name, value. */
  headers: string[] = []
  origin = ''
  forwardedFor = ''
  /** What the client declared; 0 for methods without a body. */
  contentLength = 0
  forwarded = ''
  /** The connection ends with this answer: the head cannot be trusted to say where the next request starts, or asks for it. */
  mustClose = false
  /** The client said so itself, in the one form that uWS obeys: it closes even while the client still sends. */
  isClosedByEngine = false

  // authenticate, collect
  waitsFor = waitsForKey | waitsForBody
  key: CachedKey | null = null
  chain: Chain | null = null
  body: Buffer | null = null
  pieces: Buffer[] | null = null
  bodyBytes = 0
  /** What of the body is counted in the account of bodies, and for whom; null without a valid key. */
  heldBodyBytes = 0
  bodyHolding: Holding | null = null

  // charge
  scan: Scan | null = null
  /** Items of a batch that are answered by us and not sent to the upstream, with why. */
  refusedCalls: Map<number, Failure> | null = null
  cost = 0
  /** Admitted: its cost was taken from the limits, and counts. */
  isCharged = false
  /** When the call would be admitted, for Retry-After; 0 when waiting does not help. */
  retryAfterMs = 0
  /** The limit that refused, as a `RateLimit` field value and its policy; null when none did. */
  rateLimit: { readonly limit: string; readonly policy: string } | null = null
  resetsAtMs = 0
  /** The limit that the cost is above, so that the request can never pass; null when there is none. */
  costLimit: { readonly name: 'burst' | 'daily_quota'; readonly limit: number } | null = null
  /** What is particular to this refusal, for people. */
  detail = ''

  // dispatch
  upstream: UpstreamPool | null = null
  call: { giveUp(): void } | null = null
  controller: Dispatcher.DispatchController | null = null
  isRepeated = false

  // respond
  failure: Failure | null = null
  status = 0
  answerHeaders: AnswerHeaders | null = null
  /** Content-Length of the upstream's answer; -1 when it named none. */
  answerLength = -1
  answerPieces: Buffer[] = []
  answerBytes = 0
  /** Of the body of the answer, what the client was given. */
  bytesOut = 0
  /** What the node's answer says of each call; null when it was not looked into. */
  verdicts: Verdicts | null = null
  isStreaming = false
  /** Adds our answers to those of a batch that is streamed; null where we have none. */
  merge: ArrayMerge | null = null
  /** What of the answer is counted in the account of answers. */
  heldAnswerBytes = 0
  /** Of a streamed answer, the last byte so far that is not white space. */
  lastByte = 0
  /** What of a streamed answer the client has not taken yet, and where it starts in the whole. */
  unsent: Buffer | null = null
  unsentFrom = 0

  // settle
  isSettled = false

  // deadlines: neighbours in the list of all exchanges under way, oldest first
  deadlineMs = 0
  older: Exchange | null = null
  newer: Exchange | null = null

  constructor(res: HttpResponse, startedMs: number) {
    this.res = res
    this.startedMs = startedMs
  }
}
