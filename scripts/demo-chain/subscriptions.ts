// The WebSocket side of the demo chain: the same JSON-RPC as over HTTP, and eth_subscribe('newHeads').
import type { Server } from 'node:http'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { answerTo } from './answer.ts'
import { blockAt, blockTimeMs, heightAt, RpcError } from './ledger.ts'
import type { Received } from './received.ts'

const payloadBytesMax = 16 * 1024 * 1024
const subscriptionsPerSocketMax = 100

interface SubscriptionOptions {
  now: () => number
  received: Received
}

/** Serves upgrades of `server` on every path. The function it returns cuts every socket. */
export function serveSubscriptions(server: Server, options: SubscriptionOptions): () => void {
  const sockets = new WebSocketServer({ server, maxPayload: payloadBytesMax })
  // The HTTP server reports its own errors; ws passes the same ones on.
  sockets.on('error', () => undefined)
  sockets.on('connection', (socket, request) => {
    options.received.webSocket(request)
    serveSocket(socket, options)
  })
  return () => {
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
  }
}

function serveSocket(socket: WebSocket, { now, received }: SubscriptionOptions): void {
  const subscriptions = new Map<string, NodeJS.Timeout>()
  let lastNumber = 0

  const subscribe = (kind: unknown) => {
    if (kind !== 'newHeads') throw new RpcError(-32602, `no subscription ${JSON.stringify(kind)}`)
    if (subscriptions.size >= subscriptionsPerSocketMax) {
      throw new RpcError(-32000, 'too many subscriptions')
    }
    const id = `0x${(++lastNumber).toString(16).padStart(32, '0')}`
    const tell = () => {
      const params = { subscription: id, result: blockAt(heightAt(now())) }
      socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'eth_subscription', params }))
    }
    subscriptions.set(id, setInterval(tell, blockTimeMs))
    return id
  }
  const unsubscribe = (id: unknown) => {
    clearInterval(subscriptions.get(String(id)))
    return subscriptions.delete(String(id))
  }

  socket.on('message', (data: RawData) => {
    const text = answerTo(data.toString(), {
      nowMs: now(),
      sizeBytes: 0,
      onMethod: received.rpcMethod,
      connection(method, params) {
        if (method === 'eth_subscribe') return subscribe(params[0])
        if (method === 'eth_unsubscribe') return unsubscribe(params[0])
        return undefined
      }
    })
    if (text !== '') socket.send(text)
  })
  socket.on('close', () => {
    for (const timer of subscriptions.values()) clearInterval(timer)
  })
  // A broken frame closes the socket; that is answer enough.
  socket.on('error', () => undefined)
}
