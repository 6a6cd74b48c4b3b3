// Server-sent events to one reader (WHATWG HTML, section 9.2), as a stream that the framework sends. What the reader does
// not take up is kept up to a bound, and then the stream says that it is full: whoever writes must leave events out.
import { Readable } from 'node:stream'

/** About twenty events. The socket holds some more. */
const keptBytesMax = 16_384

export class EventStream extends Readable {
  #isFull = false

  constructor() {
    super({ highWaterMark: keptBytesMax })
  }

  /** Whether the reader is behind. */
  get isFull(): boolean {
    return this.#isFull
  }

  override _read(): void {
    this.#isFull = false
  }

  /** @param data one line of JSON. */
  sendEvent(name: string, data: object): void {
    this.#send(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** A comment, which shows that the connection lives and means nothing else. */
  sendHeartbeat(): void {
    this.#send(': heartbeat\n\n')
  }

  /** The last event, and the end; at once when the reader is behind. */
  finish(name: string, data: object): void {
    if (this.#isFull) {
      this.destroy()
      return
    }
    this.sendEvent(name, data)
    this.push(null)
  }

  #send(text: string): void {
    this.#isFull = !this.push(text)
  }
}
