// The body, copied out of uWS (whose chunks are detached when the callback returns) under its limits, and then one scan
// that finds what is called. The body of a request that is already refused is collected too while it is small, because
// the answer should carry the client's id.

import type { ByteAccount } from '../byte-account.ts'
import type { Clock } from '../clock.ts'
import type { Deadlines } from '../deadlines.ts'
import type { Failure, Failures } from '../errors.ts'
import { type Exchange, waitsForBody } from '../exchange.ts'
import type { Holding } from '../org-holdings.ts'
import type { Versions } from '../rpc/request.ts'
import { type Scan, scan } from '../rpc/scan.ts'

export interface CollectDeps {
  readonly failures: Failures
  readonly clock: Clock
  readonly deadlines: Deadlines
  /** From the head of a request to the end of its body. */
  readonly bodyTimeoutMs: number
  readonly bodyBytesMax: number
  /** Of the bodies of all exchanges of the thread. */
  readonly bodies: ByteAccount
  readonly batchItemsMax: number
}

export interface Collect {
  /** Clears `waitsForBody` and calls `complete` when the body is there; calls `refuse` when a limit ends it. */
  listen(
    exchange: Exchange,
    complete: (exchange: Exchange) => void,
    refuse: (exchange: Exchange, failure: Failure) => void
  ): void
  /** The key has become known after some of the body: the org holds that from now on. Fails when its share is used up. */
  adopt(exchange: Exchange): Failure | null
  /** Finds the calls in a complete body. */
  read(exchange: Exchange): Failure | null
  /** Finds the client's ids for an answer that refuses; a body that cannot be read has none. */
  readIds(exchange: Exchange): void
  /** Gives back what the body holds of the account. */
  release(exchange: Exchange): void
}

/** Smaller bodies are not counted: EXCHANGES_MAX bounds them. Bytes. */
const smallBodyBytesMax = 16_384

export function createCollect(deps: CollectDeps): Collect {
  const { failures, clock, deadlines, bodyTimeoutMs, bodyBytesMax, bodies, batchItemsMax } = deps

  /** Null when the piece was added. */
  function receive(exchange: Exchange, chunk: ArrayBuffer, isLast: boolean): Failure | null {
    const bytes = chunk.byteLength
    exchange.bodyBytes += bytes
    if (exchange.bodyBytes > bodyBytesMax) return failures.body_too_large
    // Without room, a request that is refused anyway is answered without the id that is in its body.
    if (!hold(exchange, bytes)) return exchange.failure ?? failures.overloaded
    addPiece(exchange, chunk, isLast)
    const nowMs = clock.nowMs()
    if (isLast) deadlines.endBody(exchange, nowMs)
    // A client that sends hardly anything, but again and again, is ended by the first piece after this time.
    else if (nowMs - exchange.startedMs > bodyTimeoutMs) return failures.body_timeout
    else deadlines.renew(exchange, nowMs)
    return null
  }

  function hold(exchange: Exchange, bytes: number): boolean {
    if (exchange.contentLength < smallBodyBytesMax) return true
    const isTaken = bodies.take(exchange.bodyHolding, bytes)
    if (isTaken) exchange.heldBodyBytes += bytes
    return isTaken
  }

  function release(exchange: Exchange): void {
    if (exchange.heldBodyBytes === 0) return
    bodies.giveBack(exchange.bodyHolding, exchange.heldBodyBytes)
    exchange.heldBodyBytes = 0
  }

  return {
    listen(exchange, complete, refuse) {
      exchange.bodyHolding = holdingOf(exchange)
      exchange.res.onData((chunk, isLast) => {
        if (exchange.isOver || (exchange.waitsFor & waitsForBody) === 0) return
        const failure = receive(exchange, chunk, isLast)
        if (failure !== null) refuse(exchange, failure)
        else if (isLast) complete(exchange)
      })
    },

    adopt(exchange) {
      const bytes = exchange.heldBodyBytes
      release(exchange)
      exchange.bodyHolding = holdingOf(exchange)
      return hold(exchange, bytes) ? null : failures.overloaded
    },

    release,

    read(exchange) {
      const { body, chain } = exchange
      if (chain?.kind === 'rest') return null
      if (exchange.method !== 'POST') return failures.http_method_not_allowed
      const found = body === null ? 'parse_error' : scan(body, batchItemsMax, versionsOf(exchange))
      if (found === 'parse_error') {
        return isCompressed(exchange) ? failures.unsupported_media_type : failures.parse_error
      }
      exchange.scan = found
      if (found.calls.length > batchItemsMax) return failures.batch_too_large
      exchange.detail = problemOf(found)
      return exchange.detail === '' ? null : failures.invalid_request
    },

    readIds(exchange) {
      if (exchange.body === null || exchange.scan !== null || exchange.chain?.kind === 'rest')
        return
      const found = scan(exchange.body, batchItemsMax, versionsOf(exchange))
      if (found !== 'parse_error') exchange.scan = found
    }
  }
}

/** A request that is refused already holds nothing for its org, whose key it may only name. */
const holdingOf = ({ key, failure }: Exchange): Holding | null =>
  key === null || failure !== null ? null : key.holdings.bodies

/** Other chains than those of the EVM have nodes and clients that are older than JSON-RPC 2.0. */
const versionsOf = ({ chain }: Exchange): Versions => (chain?.kind === 'jsonrpc' ? 'known' : 'two')

/** Looked for only in what is no JSON as it came. */
function isCompressed({ headers }: Exchange): boolean {
  return headers.some((name, at) => at % 2 === 0 && name === 'content-encoding')
}

/** What is wrong with the request as a whole; the items of a batch are judged one by one. */
function problemOf({ isBatch, calls }: Scan): string {
  const [first] = calls
  if (first === undefined) return 'The batch is empty.'
  return isBatch ? '' : (first.problem ?? '')
}

/** A body in one piece, as nearly all are, is copied once. */
function addPiece(exchange: Exchange, chunk: ArrayBuffer, isLast: boolean): void {
  if (isLast && exchange.pieces === null) {
    exchange.body = chunk.byteLength === 0 ? null : copyOf(chunk)
    return
  }
  exchange.pieces ??= []
  exchange.pieces.push(copyOf(chunk))
  if (isLast) {
    exchange.body = Buffer.concat(exchange.pieces)
    exchange.pieces = null
  }
}

function copyOf(chunk: ArrayBuffer): Buffer {
  const copy = Buffer.allocUnsafe(chunk.byteLength)
  copy.set(new Uint8Array(chunk))
  return copy
}
