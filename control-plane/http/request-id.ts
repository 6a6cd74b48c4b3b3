// The request id: the client's own when it can stand in a header and a log line as it is, else a new one. It is on
// every answer, in every log line of the request and in every problem. The audit log has one of ours beside it: what it
// says of a request must not be for the client to choose.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { App } from './app-type.ts'

const pattern = /^[A-Za-z0-9_-]{8,64}$/

export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && pattern.test(given) ? given : newRequestId()
}

export const newRequestId = (): string => randomBytes(12).toString('hex')

export function registerRequestId(app: App): void {
  app.decorateRequest('ownId', '')
  app.addHook('onRequest', async (request, reply) => {
    const isOurs = request.headers['x-request-id'] !== request.id
    request.ownId = isOurs ? request.id : newRequestId()
    reply.header('x-request-id', request.id)
  })
}
