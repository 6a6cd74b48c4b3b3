// Health and metrics, on a private port of its own: GET /healthz, /readyz and /metrics. On the main thread, so that a
// scrape never makes a request wait.
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

export interface Readiness {
  readonly status: 'ready' | 'degraded' | 'unavailable' | 'draining'
  readonly checks: Readonly<Record<string, string>>
}

export interface AdminDeps {
  readonly host: string
  readonly port: number
  readonly log: Log
  readonly metrics: Metrics
  readonly readiness: () => Readiness
}

/** Resolves when the server listens; rejects with the system's error (`EADDRINUSE`, …). */
export async function startAdmin({ host, port, ...deps }: AdminDeps): Promise<Server> {
  const server = createServer((request, response) => {
    answer(deps, request.url ?? '/', response).catch((error: unknown) => {
      deps.log.error({ err: error }, 'the admin server failed')
      response.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return server
}

async function answer(
  { metrics, readiness }: Pick<AdminDeps, 'metrics' | 'readiness'>,
  url: string,
  response: ServerResponse
): Promise<void> {
  const path = url.split('?')[0]
  if (path === '/metrics') {
    response.writeHead(200, { 'content-type': metrics.contentType })
    response.end(await metrics.text())
  } else if (path === '/readyz') {
    const state = readiness()
    const isReady = state.status === 'ready' || state.status === 'degraded'
    sendJson(response, isReady ? 200 : 503, state)
  } else if (path === '/healthz') {
    sendJson(response, 200, { status: 'ok' })
  } else {
    sendJson(response, 404, { error: 'there are /healthz, /readyz and /metrics' })
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(value)}\n`)
}
