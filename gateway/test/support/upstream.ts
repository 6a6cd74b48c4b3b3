// A node that does what the test says, and remembers what reached it.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Upstream {
  readonly url: string
  readonly received: Received[]
  /** What the next requests get; until changed. */
  answer: (request: Received, response: ServerResponse) => void
  stop(): Promise<void>
}

/** Answers a call with its own method as the result, and a batch with one such answer for each call. */
export function echo({ body }: Received, response: ServerResponse): void {
  const parsed = JSON.parse(body || 'null')
  const one = ({ id, method }: { id: unknown; method: string }) => ({
    jsonrpc: '2.0',
    id,
    result: method
  })
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(Array.isArray(parsed) ? parsed.map(one) : one(parsed ?? {})))
}

export async function startUpstream(answer: Upstream['answer'] = echo): Promise<Upstream> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const { method = '', url = '', headers } = request
    const one = { method, url, headers, body: Buffer.concat(pieces).toString() }
    received.push(one)
    upstream.answer(one, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upstream: Upstream = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    received,
    answer,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
  return upstream
}
