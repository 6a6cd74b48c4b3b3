// One log line and one observation for each request, when its answer has left.
import type { App } from '../http/app-type.ts'
import { clientAddressOf } from '../http/client-address.ts'
import type { Metrics } from './metrics.ts'

export function registerObservation(app: App, { metrics }: { metrics: Metrics }): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request
    const route = request.routeOptions.url ?? '_unknown'
    const status = reply.statusCode
    const { elapsedTime } = reply
    metrics.observe({ method, route, status, seconds: elapsedTime / 1000 })
    request.log.info(
      {
        method,
        path: request.url.split('?', 1)[0],
        status,
        ms: Math.round(elapsedTime),
        ip: clientAddressOf(request),
        // The audit log has it.
        ...(request.ownId === request.id ? {} : { own_request_id: request.ownId }),
        ...(request.actor === null ? {} : { user_id: request.actor.userId })
      },
      'request'
    )
  })
}
