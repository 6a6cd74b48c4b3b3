// A small JSON-RPC node for the quick start, the tests and the benchmarks: it answers what a wallet asks, misbehaves on
// demand (knobs.ts), and tells what it received (received.ts).
//
//   POST /            JSON-RPC, one or a batch          GET /_events     new heads as server-sent events
//   WS   /            the same, and eth_subscribe       GET /_received   what arrived; DELETE forgets it
//   any other         an echo of method, path and body, for chains whose API is REST
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { answerTo } from './answer.ts'
import { type Knobs, readKnobs } from './knobs.ts'
import { blockAt, blockTimeMs, heightAt } from './ledger.ts'
import { createReceived, type Received, type ReceivedTotals } from './received.ts'
import { serveSubscriptions } from './subscriptions.ts'

export interface DemoChainOptions {
  /** 0 is any free port. */
  port: number
  host?: string
  /** Wall clock in milliseconds; the chain's height follows from it. */
  now?: () => number
}

export interface DemoChain {
  url: string
  port: number
  received(): ReceivedTotals
  forgetReceived(): void
  /** Cuts every connection. */
  stop(): Promise<void>
}

interface Node {
  now: () => number
  received: Received
  /** Ends every answer that goes on by itself. */
  stopping: AbortController
}

const bodyBytesMax = 64 * 1024 * 1024

/** Rejects with the system's error when the port cannot be had. */
export async function startDemoChain(options: DemoChainOptions): Promise<DemoChain> {
  const { host = '127.0.0.1', now = Date.now } = options
  const node: Node = { now, received: createReceived(), stopping: new AbortController() }
  // A node in front of which a gateway stands keeps idle connections longer than the gateway does.
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) =>
    receive(node, request, response)
  )
  const closeSubscriptions = serveSubscriptions(server, { now, received: node.received })
  await listen(server, options.port, host)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${host}:${port}`,
    port,
    received: () => node.received.totals(),
    forgetReceived: () => node.received.reset(),
    async stop() {
      node.stopping.abort()
      closeSubscriptions()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    }
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function receive(node: Node, request: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = []
  let bytes = 0
  request.on('data', (piece: Buffer) => {
    bytes += piece.length
    if (bytes > bodyBytesMax) request.destroy()
    else pieces.push(piece)
  })
  // A client that goes away in the middle is nothing to answer.
  request.on('error', () => undefined)
  request.on('end', () => {
    const body = pieces.length === 1 ? String(pieces[0]) : Buffer.concat(pieces).toString()
    route(node, request, response, body)
  })
}

function route(node: Node, request: IncomingMessage, response: ServerResponse, body: string): void {
  const url = request.url ?? '/'
  const split = url.indexOf('?')
  const path = split === -1 ? url : url.slice(0, split)
  if (path === '/_received') {
    if (request.method === 'DELETE') node.received.reset()
    send(response, 200, JSON.stringify(node.received.totals()))
    return
  }
  node.received.request(request, body)
  let knobs: Knobs
  try {
    knobs = readKnobs(split === -1 ? '' : url.slice(split + 1))
  } catch (error) {
    send(response, 400, JSON.stringify({ error: (error as Error).message }))
    return
  }
  const act = () => {
    if (knobs.failure !== null) misbehave(knobs, request.socket, response)
    else if (path === '/_events') streamHeads(node, response)
    else if (request.method === 'POST') answerRpc(node, response, body, knobs)
    else echo(node, request, response, body, knobs)
  }
  if (knobs.latencyMs === 0) act()
  else setTimeout(() => response.destroyed || act(), knobs.latencyMs).unref()
}

function answerRpc(node: Node, response: ServerResponse, body: string, knobs: Knobs): void {
  const text = answerTo(body, {
    nowMs: node.now(),
    sizeBytes: knobs.sizeBytes,
    onMethod: node.received.rpcMethod
  })
  send(response, knobs.status, text)
}

function echo(
  node: Node,
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
  knobs: Knobs
): void {
  const { method, url } = request
  send(response, knobs.status, JSON.stringify({ height: heightAt(node.now()), method, url, body }))
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text)
  })
  response.end(text)
}

/** Server-sent events: the head now, and each new one. */
function streamHeads(node: Node, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const tell = () => {
    const height = heightAt(node.now())
    response.write(`id: ${height}\nevent: head\ndata: ${JSON.stringify(blockAt(height))}\n\n`)
  }
  tell()
  const timer = setInterval(tell, blockTimeMs)
  response.on('close', () => clearInterval(timer))
  node.stopping.signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

function misbehave(knobs: Knobs, socket: Socket, response: ServerResponse): void {
  const half = '{"jsonrpc":"2.0","id":1,"resu'
  const startOfAnswer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n${half}`
  switch (knobs.failure) {
    case 'refuse':
      socket.destroy()
      break
    case 'reset':
      socket.write(startOfAnswer, () => socket.resetAndDestroy())
      break
    case 'truncate':
      socket.end(startOfAnswer)
      break
    case 'garbage':
      socket.end('\x16\x03\x01 this is not HTTP \r\n\r\n')
      break
    case 'html':
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end('<!doctype html><title>It works!</title>')
      break
    default:
      // silent: the connection stays open and nothing comes.
      break
  }
}
