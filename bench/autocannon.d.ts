// autocannon has no typings; this is the part of it that load-generator.ts uses.
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events'

  interface Options {
    url: string
    method: string
    headers: Record<string, string>
    body: string
    connections: number
    /** Seconds. */
    duration: number
    /** Requests per second of all connections together; without it each connection sends as soon as it is answered. */
    overallRate?: number
    requests?: readonly { path: string }[]
  }

  interface Result {
    errors: number
    timeouts: number
  }

  interface Run extends EventEmitter, PromiseLike<Result> {
    on(
      event: 'response',
      listener: (client: unknown, status: number, bytes: number, milliseconds: number) => void
    ): this
  }

  function autocannon(options: Options): Run
  export = autocannon
}
