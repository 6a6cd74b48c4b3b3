// One HTTP/1.1 connection of the load generator. It knows only what servers under test answer with: a status line,
// headers, and a body of Content-Length bytes. Anything else is a failure with its reason, never a wrong count.
//
// Written for this because the generator shares a core with the upstream: what it spends, nobody can be measured with.
// It costs about half of what autocannon's client does.
import { connect, type Socket } from 'node:net'

export interface ConnectionEvents {
  readonly onAnswer: (connection: Connection, status: number) => void
  /** The connection is of no more use. `isFault` is false where a server may do so: it closed while nothing was asked. */
  readonly onBroken: (connection: Connection, reason: string, isFault: boolean) => void
}

const headBytesMax = 16_384
/** One for all connections: what is read is understood before the next read. */
const readBuffer = Buffer.allocUnsafe(65_536)
const endOfHead = '\r\n\r\n'
const contentLength = /\r\ncontent-length: *(\d+)\r\n/i

export class Connection {
  /** When the request that is under way was sent or, in the open loop, fell due. Owned by the stream. */
  askedMs = 0
  isBusy = false
  readonly #socket: Socket
  readonly #events: ConnectionEvents
  #isOver = false
  #headSoFar = ''
  #status = 0
  #bodyBytesLeft = 0

  constructor(port: number, events: ConnectionEvents) {
    this.#events = events
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (bytes, buffer) => {
          this.#read(buffer as Buffer, bytes)
          return true
        }
      }
    })
    this.#socket.on('error', (error) => this.#lose(error.message))
    this.#socket.on('close', () => this.#lose('the server closed the connection'))
  }

  ask(request: Buffer): void {
    this.isBusy = true
    this.#socket.write(request)
  }

  close(): void {
    this.#isOver = true
    this.#socket.destroy()
  }

  #read(buffer: Buffer, bytes: number): void {
    let at = 0
    while (at < bytes && !this.#isOver) {
      if (this.#bodyBytesLeft === 0) {
        at = this.#readHead(buffer, at, bytes)
      } else {
        const taken = Math.min(this.#bodyBytesLeft, bytes - at)
        at += taken
        this.#bodyBytesLeft -= taken
        if (this.#bodyBytesLeft === 0) this.#finish()
      }
    }
  }

  /** Returns where it stopped. */
  #readHead(buffer: Buffer, at: number, bytes: number): number {
    if (!this.isBusy) {
      this.#break('the server sent something that nobody asked for')
      return bytes
    }
    const text = this.#headSoFar + buffer.toString('latin1', at, bytes)
    const end = text.indexOf(endOfHead)
    if (end < 0) {
      this.#headSoFar = text
      if (text.length > headBytesMax) this.#break('the head of an answer does not end')
      return bytes
    }
    const next = at + end + endOfHead.length - this.#headSoFar.length
    this.#headSoFar = ''
    const length = contentLength.exec(text.slice(0, end + 2))?.[1]
    if (!text.startsWith('HTTP/1.1 ') || length === undefined) {
      this.#break(`an answer that is not HTTP/1.1 with a Content-Length: ${text.slice(0, 100)}`)
      return bytes
    }
    this.#status = Number(text.slice(9, 12))
    this.#bodyBytesLeft = Number(length)
    if (this.#bodyBytesLeft === 0) this.#finish()
    return next
  }

  #finish(): void {
    this.isBusy = false
    this.#events.onAnswer(this, this.#status)
  }

  #lose(reason: string): void {
    this.#end(reason, this.isBusy)
  }

  #break(reason: string): void {
    this.#end(reason, true)
  }

  #end(reason: string, isFault: boolean): void {
    if (this.#isOver) return
    this.close()
    this.#events.onBroken(this, reason, isFault)
  }
}
