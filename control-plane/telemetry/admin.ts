// The admin server: health and metrics, on a port of its own that is not for the public.
import { type FastifyInstance, fastify } from 'fastify'
import type { Metrics } from './metrics.ts'
import type { ReadinessWatch } from './readiness.ts'

export function createAdminServer(deps: {
  metrics: Metrics
  readiness: ReadinessWatch
}): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true })
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const readiness = await deps.readiness.check()
    return reply.code(readiness.status === 'ready' ? 200 : 503).send(readiness)
  })
  app.get('/metrics', async (_request, reply) => {
    const { text, contentType } = await deps.metrics.render()
    return reply.type(contentType).send(text)
  })
  return app
}
