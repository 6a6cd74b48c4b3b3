// A reader of server-sent events, on a connection of its own: a pool would open a spare one for each that breaks off.
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { Client } from './client.ts'

export interface LiveEvent {
  name: string
  // biome-ignore lint/suspicious/noExplicitAny: the tests are what checks its shape
  data: any
}

export class LiveReader {
  readonly response: IncomingMessage
  readonly events: LiveEvent[] = []
  heartbeats = 0
  isOver = false
  #hasLeft = false
  #wake: () => void = () => undefined

  constructor(response: IncomingMessage) {
    this.response = response
    void this.#read()
  }

  named(name: string): LiveEvent[] {
    return this.events.filter((event) => event.name === name)
  }

  /** The sum of a figure over what was added in all events so far. */
  added(figure: string): number {
    return this.named('usage').reduce((sum, { data }) => sum + data.added[figure], 0)
  }

  /** Resolves when it is so, after whatever arrives; the time limit of the test is the limit. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.isOver) throw new Error('the stream is over')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Resolves when the server has ended the stream in good order. */
  async end(): Promise<LiveEvent | undefined> {
    await this.until(() => this.isOver)
    return this.events.at(-1)
  }

  /** As a page that is closed. */
  leave(): void {
    this.#hasLeft = true
    this.response.destroy()
  }

  async #read(): Promise<void> {
    let text = ''
    try {
      for await (const chunk of this.response.setEncoding('utf8')) {
        text += chunk
        const blocks = text.split('\n\n')
        text = blocks.pop() ?? ''
        for (const block of blocks) this.#take(block)
        this.#wake()
      }
      this.isOver = true
    } catch (error) {
      if (!this.#hasLeft) throw error
    }
    this.#wake()
  }

  #take(block: string): void {
    if (block.startsWith(':')) {
      this.heartbeats += 1
      return
    }
    const [, name = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
    this.events.push({ name, data: JSON.parse(data) })
  }
}

/** Watches `<endpoint>/usage/live`. Throws on a refusal. */
export async function watchLive(client: Client, endpointPath: string): Promise<LiveReader> {
  const headers = { authorization: `Bearer ${client.token}` }
  const request = get(`${client.url}${endpointPath}/usage/live`, { headers, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  if (response.statusCode !== 200) throw new Error(`the answer is ${response.statusCode}`)
  return new LiveReader(response)
}
