// What Prometheus sees of this process. The only importer of prom-client here. Labels come from closed sets: the route's
// pattern, never its path.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  observe(request: { method: string; route: string; status: number; seconds: number }): void
  /** How many live usage streams are open. */
  setLiveStreams(count: number): void
  /** The exposition, and its content type. */
  render(): Promise<{ text: string; contentType: string }>
}

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const requests = new Counter({
    name: 'sluice_control_plane_http_requests_total',
    help: 'Requests answered',
    labelNames: ['method', 'route', 'status'],
    registers: [registry]
  })
  const durations = new Histogram({
    name: 'sluice_control_plane_http_duration_seconds',
    help: 'Seconds from the first byte of a request to the last of its answer',
    labelNames: ['method', 'route'],
    buckets: secondsBuckets,
    registers: [registry]
  })
  const liveStreams = new Gauge({
    name: 'sluice_control_plane_live_streams',
    help: 'Live usage streams that are open',
    registers: [registry]
  })
  return {
    observe({ method, route, status, seconds }) {
      requests.inc({ method, route, status })
      durations.observe({ method, route }, seconds)
    },
    setLiveStreams(count) {
      liveStreams.set(count)
    },
    async render() {
      return { text: await registry.metrics(), contentType: registry.contentType }
    }
  }
}
