// The body, copied out of uWS (whose chunks are detached when the callback returns) under its limits, and then one scan
// that finds what is called. The body of a request that is already refused is collected too while it is small, because
// the answer should carry the client's id.
import type { Failure, Failures } from '../errors.ts'
import { type Exchange, waitsForBody } from '../exchange.ts'
import { type Scan, scan } from '../rpc/scan.ts'

export interface CollectDeps {
  readonly failures: Failures
  readonly bodyBytesMax: number
  /** For all exchanges of the thread together. */
  readonly bodiesBytesMax: number
  readonly batchItemsMax: number
}

export interface Collect {
  /** Clears `waitsForBody` and calls `complete` when the body is there; calls `refuse` when a limit ends it. */
  listen(
    exchange: Exchange,
    complete: (exchange: Exchange) => void,
    refuse: (exchange: Exchange, failure: Failure) => void
  ): void
  /** Finds the calls in a complete body. */
  read(exchange: Exchange): Failure | null
  /** Finds the client's ids for an answer that refuses; a body that cannot be read has none. */
  readIds(exchange: Exchange): void
  /** Gives back what the body took of the thread's limit. */
  release(exchange: Exchange): void
}

export function createCollect(deps: CollectDeps): Collect {
  const { failures, bodyBytesMax, bodiesBytesMax, batchItemsMax } = deps
  let heldBytes = 0

  return {
    listen(exchange, complete, refuse) {
      exchange.res.onData((chunk, isLast) => {
        if (exchange.isOver || (exchange.waitsFor & waitsForBody) === 0) return
        const length = chunk.byteLength
        exchange.bodyBytes += length
        heldBytes += length
        if (exchange.bodyBytes > bodyBytesMax) return refuse(exchange, failures.body_too_large)
        if (heldBytes > bodiesBytesMax) return refuse(exchange, failures.overloaded)
        addPiece(exchange, chunk, isLast)
        if (!isLast) return
        exchange.waitsFor &= ~waitsForBody
        complete(exchange)
      })
    },

    read(exchange) {
      const { body, chain } = exchange
      if (chain?.kind === 'rest') return null
      if (exchange.method !== 'POST') {
        exchange.detail = 'Send JSON-RPC as POST.'
        return failures.invalid_request
      }
      const found = body === null ? 'parse_error' : scan(body, batchItemsMax)
      if (found === 'parse_error') return failures.parse_error
      exchange.scan = found
      if (found.calls.length > batchItemsMax) return failures.batch_too_large
      exchange.detail = problemOf(found)
      return exchange.detail === '' ? null : failures.invalid_request
    },

    readIds(exchange) {
      if (exchange.body === null || exchange.scan !== null || exchange.chain?.kind === 'rest')
        return
      const found = scan(exchange.body, batchItemsMax)
      if (found !== 'parse_error') exchange.scan = found
    },

    release(exchange) {
      heldBytes -= exchange.bodyBytes
      exchange.bodyBytes = 0
    }
  }
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
