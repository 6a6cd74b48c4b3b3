// Heads that Node's parser lets through and that two servers could understand in two ways.
import { Failure } from '../errors.ts'
import type { App } from './app-type.ts'

export function registerRequestHeads(app: App): void {
  app.addHook('onRequest', async (request) => {
    const { rawHeaders } = request.raw
    let hosts = 0
    for (let at = 0; at < rawHeaders.length; at += 2) {
      if (rawHeaders[at]?.toLowerCase() === 'host') hosts++
    }
    // Node keeps the first of them and says nothing (RFC 9112, 3.2: answer with 400).
    if (hosts > 1)
      throw new Failure('malformed_request', { detail: 'There is more than one Host.' })
  })
}
