// A node that answers with exactly the bytes it is told to, or with none: for answers that no HTTP server would send, and
// for connections that break at a chosen moment.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'

export const certificateFile = join(import.meta.dirname, 'loopback-certificate.pem')

export interface RawRequest {
  readonly head: string
  readonly body: string
}

export interface RawUpstream {
  readonly url: string
  readonly requests: RawRequest[]
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>
  /** What the next requests get; until changed. `place` is the number of the request on its connection, from 1. */
  answer: (socket: Socket, request: RawRequest, place: number) => void
  stop(): Promise<void>
}

export const okAnswer = answerText('{"jsonrpc":"2.0","id":1,"result":"0x1"}')

/** An answer with an honest Content-Length. */
export function answerText(body: string, lines: readonly string[] = []): string {
  const head = ['HTTP/1.1 200 OK', `Content-Length: ${Buffer.byteLength(body)}`, ...lines]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

export async function startRawUpstream(
  answer: RawUpstream['answer'] = (socket) => socket.write(okAnswer),
  scheme: 'http' | 'https' = 'http'
): Promise<RawUpstream> {
  const requests: RawRequest[] = []
  const sockets = new Set<Socket>()
  const server = createServer((connection) => {
    const socket = scheme === 'http' ? connection : secured(connection)
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // The gateway resets connections that it gives up.
    socket.on('error', () => undefined)
    let received = ''
    let place = 0
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1')
      for (let request = readRequest(received); request !== null; request = readRequest(received)) {
        received = received.slice(request.head.length + 4 + request.body.length)
        requests.push(request)
        upstream.answer(socket, request, ++place)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upstream: RawUpstream = {
    url: `${scheme}://127.0.0.1:${(server.address() as { port: number }).port}`,
    requests,
    sockets,
    answer,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }
  return upstream
}

const connections = new WeakMap<Socket, Socket>()

function secured(connection: Socket): Socket {
  const key = readFileSync(join(import.meta.dirname, 'loopback-key.pem'))
  const socket = new TLSSocket(connection, {
    isServer: true,
    key,
    cert: readFileSync(certificateFile)
  })
  connections.set(socket, connection)
  connection.on('error', () => undefined)
  return socket
}

/** The TCP connection below a TLS one, else the connection itself: for ends that TLS does not know of. */
export const transportOf = (socket: Socket): Socket => connections.get(socket) ?? socket

/**
 * Resets a connection and sends no end before: Node's own resetAndDestroy ends it first, and a peer that reads in between
 * sees an ordinary end. What was not yet sent is lost.
 */
export function reset(socket: Socket): void {
  const transport = transportOf(socket)
  // What resetAndDestroy sets too.
  Object.assign(transport, { resetAndClosing: true })
  transport.destroy()
}

/** The first request in `text`, or null when it is not complete. */
function readRequest(text: string): RawRequest | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const head = text.slice(0, headEnd)
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
  const start = headEnd + 4
  return text.length < start + length ? null : { head, body: text.slice(start, start + length) }
}
