// The least that a proxy on the same two libraries can do: read a body, send it up, send the answer back. No keys, no
// limits, no scan, no metrics, no deadline of its own, no retries, no backpressure. What Sluice costs on top of this is
// the price of all its features together.
//
//   node bench/peers/bare-proxy.ts <port> <upstream url>
import { type Dispatcher, Pool } from 'undici'
import { createApp, type HttpResponse } from '../../gateway/uws.ts'
import { reportToBench } from '../program.ts'

const port = Number(process.argv[2])
const upstream = new URL(process.argv[3] ?? '')

// As in gateway/upstreams/pool.ts with the defaults of gateway/config.ts.
const pool = new Pool(upstream.origin, {
  connections: 256,
  pipelining: 1,
  allowH2: false,
  connectTimeout: 3000,
  headersTimeout: 30_000,
  bodyTimeout: 30_000,
  keepAliveTimeout: 4000,
  keepAliveMaxTimeout: 4000,
  maxHeaderSize: 32_768,
  maxResponseSize: 268_435_456
})

class Exchange implements Dispatcher.DispatchHandler {
  readonly #res: HttpResponse
  #isAborted = false
  #body: Buffer | null = null
  #status = '502'
  #contentType = 'text/plain'
  readonly #answer: Buffer[] = []

  constructor(res: HttpResponse, contentType: string) {
    this.#res = res
    res.onAborted(() => {
      this.#isAborted = true
    })
    res.onData((chunk, isLast) => {
      // uWS takes the chunk back when we return, so it is copied.
      const piece = Buffer.from(Buffer.from(chunk))
      this.#body = this.#body === null ? piece : Buffer.concat([this.#body, piece])
      if (isLast) this.#send(contentType)
    })
  }

  onRequestStart(): void {}

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: { 'content-type'?: string | string[] | undefined }
  ): void {
    this.#status = String(status)
    this.#contentType = String(headers['content-type'])
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#answer.push(chunk)
  }

  onResponseEnd(): void {
    this.#respond()
  }

  onResponseError(): void {
    this.#status = '502'
    this.#respond()
  }

  #send(contentType: string): void {
    const headers = ['content-type', contentType]
    pool.dispatch({ path: upstream.pathname, method: 'POST', headers, body: this.#body }, this)
  }

  #respond(): void {
    if (this.#isAborted) return
    const [first] = this.#answer
    const answer = this.#answer.length === 1 ? first : Buffer.concat(this.#answer)
    this.#res.cork(() => {
      this.#res.writeStatus(this.#status).writeHeader('content-type', this.#contentType).end(answer)
    })
  }
}

const app = createApp()
app.post('/*', (res, req) => {
  new Exchange(res, req.getHeader('content-type'))
})
app.listen('127.0.0.1', port, (socket) => {
  if (socket === false) throw new Error(`the bare proxy cannot listen on 127.0.0.1:${port}`)
  reportToBench(() => {
    app.close()
    void pool.destroy()
  })
})
