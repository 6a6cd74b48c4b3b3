// What reached the demo chain, so that a test can say what went upstream: a count for each method, and the last requests
// as they came, headers in the order and case of the wire.
import type { IncomingMessage } from 'node:http'

const requestsMax = 100
const methodsMax = 1000
const bodyCharactersMax = 65_536

export interface ReceivedRequest {
  method: string
  path: string
  /** Name, value, name, value, …: repeated headers stay repeated. */
  raw_headers: string[]
  body: string
}

export interface ReceivedTotals {
  requests: number
  web_sockets: number
  methods: Record<string, number>
  last: ReceivedRequest[]
}

export interface Received {
  request(request: IncomingMessage, body: string): void
  webSocket(request: IncomingMessage): void
  rpcMethod(name: string): void
  totals(): ReceivedTotals
  reset(): void
}

export function createReceived(): Received {
  let requests = 0
  let webSockets = 0
  const methods = new Map<string, number>()
  let last: ReceivedRequest[] = []

  const remember = (request: IncomingMessage, body: string) => {
    // Dropping half at once keeps this O(1) a request: the demo chain also serves benchmarks.
    if (last.length >= requestsMax * 2) last = last.slice(-requestsMax)
    last.push({
      method: request.method ?? '',
      path: request.url ?? '',
      raw_headers: request.rawHeaders,
      body: body.length > bodyCharactersMax ? body.slice(0, bodyCharactersMax) : body
    })
  }

  return {
    request(request, body) {
      requests++
      remember(request, body)
    },
    webSocket(request) {
      webSockets++
      remember(request, '')
    },
    rpcMethod(name) {
      const count = methods.get(name)
      if (count !== undefined || methods.size < methodsMax) methods.set(name, (count ?? 0) + 1)
    },
    totals: () => ({
      requests,
      web_sockets: webSockets,
      methods: Object.fromEntries(methods),
      last: last.slice(-requestsMax)
    }),
    reset() {
      requests = 0
      webSockets = 0
      methods.clear()
      last = []
    }
  }
}
