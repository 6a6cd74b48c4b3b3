// A client that sends exactly the bytes it is told to, and reads whatever comes back: for requests that no HTTP library
// would send, and for connections that are cut, stalled or half-closed.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { patienceMs } from '../../../scripts/test/support/until.ts'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case; of repeated ones the last. */
  readonly headers: Readonly<Record<string, string>>
  /** The head as it came. */
  readonly head: string
  readonly body: string
}

export class RawClient {
  readonly socket: Socket
  /** Everything received that no answer has been made of yet, a character for each byte. */
  received = ''
  #isClosed = false
  readonly #checks = new Set<() => void>()

  /** Resolves when connected. */
  static async open(port: number): Promise<RawClient> {
    const client = new RawClient(port)
    await once(client.socket, 'connect')
    return client
  }

  private constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.setNoDelay(true)
    this.socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1')
      this.#check()
    })
    // A reset is one of the ways in which the other side closes.
    this.socket.on('error', () => undefined)
    for (const event of ['end', 'close']) {
      this.socket.on(event, () => {
        this.#isClosed = true
        this.#check()
      })
    }
  }

  #check(): void {
    for (const check of [...this.#checks]) check()
  }

  /** Whether the other side has ended the connection. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** One byte for each character. */
  send(bytes: string): void {
    this.socket.write(bytes, 'latin1')
  }

  /** The next complete answer; null when the connection closes without one. */
  async answer(): Promise<RawAnswer | null> {
    return await this.#when(() => {
      const found = parseAnswer(this.received, this.#isClosed)
      if (found === null) return this.#isClosed ? null : undefined
      this.received = this.received.slice(found.length)
      return found.answer
    })
  }

  /** Resolves when the other side has closed. */
  async closed(): Promise<void> {
    await this.#when(() => (this.#isClosed ? true : undefined))
  }

  /** Resolves when something received contains `text`. */
  async sees(text: string): Promise<void> {
    await this.#when(() => {
      if (this.received.includes(text)) return true
      if (this.#isClosed) throw new Error(`closed before ${text} came`)
      return undefined
    })
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Asks `found` now and after everything that happens to the socket, until it is not undefined. */
  #when<T>(found: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const patience = setTimeout(
        () => settle(() => reject(new Error(this.#describe()))),
        patienceMs
      )
      const settle = (how: () => void) => {
        clearTimeout(patience)
        this.#checks.delete(check)
        how()
      }
      const check = () => {
        try {
          const value = found()
          if (value !== undefined) settle(() => resolve(value))
        } catch (error) {
          settle(() => reject(error))
        }
      }
      this.#checks.add(check)
      check()
    })
  }

  #describe(): string {
    const state = this.#isClosed ? 'closed' : 'open'
    return `nothing came within ${patienceMs} ms; ${state}, received ${this.received.slice(0, 500)}`
  }
}

/** Sends on a connection of its own, and resolves to the first answer, or null when there is none. */
export async function sendRaw(port: number, bytes: string): Promise<RawAnswer | null> {
  const client = await RawClient.open(port)
  client.send(bytes)
  const answer = await client.answer()
  client.destroy()
  return answer
}

/** An HTTP/1.1 request with an honest Content-Length where there is a body. */
export function requestText(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body = ''
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n`
  return `${method} ${target} HTTP/1.1\r\nHost: gateway\r\n${lines.join('')}${length}\r\n${body}`
}

/** The first answer in `text` and its length; null when it is not complete. */
function parseAnswer(
  text: string,
  isClosed: boolean
): { answer: RawAnswer; length: number } | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const head = text.slice(0, headEnd)
  const [statusLine = '', ...lines] = head.split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
  )
  const start = headEnd + 4
  const end = endOfBody(text, start, { status, headers, isClosed })
  if (end < 0) return null
  const raw = text.slice(start, end)
  const body = headers['transfer-encoding'] === 'chunked' ? withoutChunks(raw) : raw
  return { answer: { status, headers, head, body }, length: end }
}

/** Where the body that starts at `start` ends, or -1. Answers to HEAD are read with `sees`. */
function endOfBody(
  text: string,
  start: number,
  { status, headers, isClosed }: Pick<RawAnswer, 'status' | 'headers'> & { isClosed: boolean }
): number {
  if (status === 204 || status === 304) return start
  if (headers['transfer-encoding'] === 'chunked') {
    const last = text.startsWith('0\r\n\r\n', start)
      ? start - 2
      : text.indexOf('\r\n0\r\n\r\n', start)
    return last < 0 ? -1 : last + 7
  }
  const length = headers['content-length']
  if (length === undefined) return isClosed ? text.length : -1
  return text.length >= start + Number(length) ? start + Number(length) : -1
}

function withoutChunks(raw: string): string {
  let body = ''
  let at = 0
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at)
    const size = Number.parseInt(raw.slice(at, lineEnd), 16)
    if (!(size > 0)) return body
    body += raw.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 2 + size + 2
  }
}
