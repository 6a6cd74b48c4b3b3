// The latest failed calls, for their owners to look into: a sample, bounded in each second for the thread and for each
// endpoint, so that one that fails all the time hides neither the others' failures nor, when it is refused by its limits
// all the time, its own of other kinds.
import type { Clock } from '../../clock.ts'
import type { Failure } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import type { KeptRecord } from '../../keys/cached-key.ts'
import { otherMethod } from '../../rpc/method-names.ts'
import { paramsExcerpt } from '../../rpc/params.ts'
import { isRepeatable } from '../../rpc/repeatable.ts'

export interface FailedCall {
  readonly orgId: string
  readonly endpointId: string
  readonly keyId: string
  /** Milliseconds since 1970. */
  readonly occurredAtMs: number
  readonly method: string
  readonly code: number | null
  /** Ours, `upstream` when the node's own answer was the error, `client_gone` when nobody waited for the answer. */
  readonly reason: string
  readonly status: number
  readonly durationMs: number
  readonly upstreamId: string | null
  readonly requestId: string
  readonly params: string | null
}

/** What settle knows of a failed call. */
export interface Failing {
  /** Of the call in the scan; -1 when the body was not read. */
  readonly index: number
  /** Ours; null when the node's answer was the error. */
  readonly failure: Failure | null
  /** The node's JSON-RPC error code; null when it gave none. */
  readonly nodeCode: number | null
  /** 499 when the client left. */
  readonly status: number
  readonly durationMs: number
}

/** Per second and org, as a share of what the thread may keep. */
const perOrgShare = 0.5
/** Per second and endpoint; of refusals by a limit there is nothing to learn from a second one. */
const perEndpointMax = 5
const rateLimitedPerEndpointMax = 1
const paramsBytesMax = 512
const clientGone = 499
/** What the column `method` takes. */
const plainMethod = /^[\x21-\x7e]{1,64}$/

export class FailedCalls {
  readonly #clock: Clock
  readonly #perSecondMax: number
  #second = 0
  #taken = 0
  readonly #takenOf = new Map<string, number>()
  #calls: FailedCall[] = []

  constructor(clock: Clock, perSecondMax: number) {
    this.#clock = clock
    this.#perSecondMax = perSecondMax
  }

  note(exchange: Exchange, failing: Failing): void {
    const { key } = exchange
    if (key === null || !this.#hasRoom(key.record, failing.failure)) return
    const { orgId, endpointId, keyId } = key.record
    const call = exchange.scan?.calls[failing.index]
    const method = call !== undefined && plainMethod.test(call.method) ? call.method : otherMethod
    this.#calls.push({
      orgId,
      endpointId,
      keyId,
      occurredAtMs: this.#clock.wallMs(),
      method,
      code: failing.failure?.code ?? failing.nodeCode,
      reason: reasonOf(failing),
      status: failing.status,
      durationMs: Math.round(failing.durationMs),
      upstreamId: exchange.upstream?.id ?? null,
      requestId: exchange.requestId,
      params: paramsOf(exchange, failing.index)
    })
  }

  /** Hands over what was kept, and starts anew. */
  take(): FailedCall[] {
    const calls = this.#calls
    this.#calls = []
    return calls
  }

  #hasRoom({ orgId, endpointId }: KeptRecord, failure: Failure | null): boolean {
    const second = Math.floor(this.#clock.nowMs() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#taken = 0
      this.#takenOf.clear()
    }
    const takenOfOrg = this.#takenOf.get(orgId) ?? 0
    if (this.#taken >= this.#perSecondMax) return false
    if (takenOfOrg >= Math.ceil(this.#perSecondMax * perOrgShare)) return false
    const isLimit = failure?.outcome === 'rate_limited'
    const account = isLimit ? `${endpointId} limit` : endpointId
    const taken = this.#takenOf.get(account) ?? 0
    if (taken >= (isLimit ? rateLimitedPerEndpointMax : perEndpointMax)) return false
    this.#takenOf.set(account, taken + 1)
    this.#takenOf.set(orgId, takenOfOrg + 1)
    this.#taken++
    return true
  }
}

function reasonOf({ failure, status }: Failing): string {
  if (failure !== null) return failure.reason
  return status === clientGone ? 'client_gone' : 'upstream'
}

/** Only of methods that are known to read public things: the params of others may hold keys, passwords or signatures. */
function paramsOf({ body, scan, chain }: Exchange, index: number): string | null {
  const call = scan?.calls[index]
  if (body === null || call === undefined || call.problem !== null) return null
  if (chain?.kind !== 'evm' || !isRepeatable(call.method)) return null
  return paramsExcerpt(body, call, paramsBytesMax)
}
