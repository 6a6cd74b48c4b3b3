// The only importer of uWebSockets.js, so that another version or another packaging of it is a one-line change. Its
// binary comes from npm where npm has one (Linux with glibc on x64), and elsewhere from the project's own release, which
// scripts/with-runtime.sh installs: the same version of the same program under another name.
// The limit on the size of a request's head is an environment variable that uWS reads once, when it loads: the main
// thread sets it (see config.ts) before any thread imports this file.
import { createRequire } from 'node:module'

type Text = string | ArrayBuffer | ArrayBufferView

/** Native; good for nothing but closing it. */
export interface us_listen_socket {
  readonly isListenSocket: unique symbol
}

/** Valid only inside the handler that gets it. */
export interface HttpRequest {
  /** Names are lower case. */
  getHeader(name: string): string
  getParameter(index: number): string | undefined
  getUrl(): string
  getMethod(): string
  getCaseSensitiveMethod(): string
  /** Without the `?`. */
  getQuery(): string
  forEach(each: (name: string, value: string) => void): void
  setYield(isYielded: boolean): HttpRequest
}

/** Valid until it has ended or was aborted; using it later throws. */
export interface HttpResponse {
  writeStatus(status: Text): HttpResponse
  writeHeader(name: Text, value: Text): HttpResponse
  /** Chunked. False when the socket holds some of it back. */
  write(piece: Text): boolean
  end(body?: Text, closesConnection?: boolean): HttpResponse
  endWithoutBody(reportedLength?: number, closesConnection?: boolean): HttpResponse
  /** Whether all of it was taken, and whether the answer is complete. */
  tryEnd(rest: Text, totalLength: number): [boolean, boolean]
  close(): HttpResponse
  getWriteOffset(): number
  onWritable(handler: (offset: number) => boolean): HttpResponse
  /** Must be attached before the handler of the request returns. */
  onAborted(handler: () => void): HttpResponse
  /** The chunk is detached when the handler returns. */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): HttpResponse
  pause(): void
  resume(): void
  cork(write: () => void): HttpResponse
  /** 4 bytes for IPv4, 16 for IPv6. */
  getRemoteAddress(): ArrayBuffer
  getRemoteAddressAsText(): ArrayBuffer
  /** Of the PROXY protocol, from whoever sent it: nothing to believe from a peer that is not trusted. */
  getProxiedRemoteAddress(): ArrayBuffer
  getProxiedRemoteAddressAsText(): ArrayBuffer
}

type Handler = (res: HttpResponse, req: HttpRequest) => void

export interface TemplatedApp {
  any(pattern: string, handler: Handler): TemplatedApp
  get(pattern: string, handler: Handler): TemplatedApp
  post(pattern: string, handler: Handler): TemplatedApp
  listen(
    host: string,
    port: number,
    onListening: (socket: us_listen_socket | false) => void
  ): TemplatedApp
  close(): TemplatedApp
}

interface Engine {
  App(): TemplatedApp
  us_listen_socket_close(socket: us_listen_socket): void
  _cfg(key: string): void
}

/** In this order; a machine has one of them. */
const packages = ['@uwsjs/linux-x64-22', 'uWebSockets.js'] as const

function loadEngine(): Engine {
  const require = createRequire(import.meta.url)
  const reasons: string[] = []
  for (const name of packages) {
    try {
      return require(name) as Engine
    } catch (error) {
      reasons.push(`${name}: ${(error as Error).message.split('\n')[0]}`)
    }
  }
  throw new Error(
    `uWebSockets.js cannot be loaded on ${process.platform} ${process.arch} with Node ${process.version} (${reasons.join('; ')}). It is there for Linux with glibc (x64, arm64) and macOS (x64, arm64), with Node 22: start through npm or scripts/with-runtime.sh, which install it`
  )
}

const engine = loadEngine()

export const createApp = (): TemplatedApp => engine.App()
export const closeListenSocket = engine.us_listen_socket_close

// Answers do not say what serves them.
engine._cfg('silent')
