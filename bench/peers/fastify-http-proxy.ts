// @fastify/http-proxy as its README has it, tuned as @fastify/reply-from's says ("undici": a pool of connections that
// are kept). No keys, no limits, no log.
//
//   node bench/peers/fastify-http-proxy.ts <port> <upstream url>
import proxy from '@fastify/http-proxy'
import fastify from 'fastify'
import { reportToBench } from '../program.ts'

const [port, upstream] = process.argv.slice(2)
if (port === undefined || upstream === undefined) throw new Error('usage: <port> <upstream url>')

const app = fastify({ logger: false })
await app.register(proxy, {
  upstream,
  prefix: '/',
  http2: false,
  httpMethods: ['POST'],
  // The key does not go to the upstream.
  preRewrite: () => '/',
  undici: { connections: 256, pipelining: 1, keepAliveTimeout: 60_000 }
})
await app.listen({ host: '127.0.0.1', port: Number(port) })
reportToBench(() => void app.close())
