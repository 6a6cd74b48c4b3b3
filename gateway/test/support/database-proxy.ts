// Stands between a gateway and its database, and does what happens to databases: it freezes (connections are accepted and
// held, as the kernel does for a stopped server, and nothing is answered) or is gone (connections are cut and refused).
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePorts } from './gateway-process.ts'

export interface DatabaseProxy {
  /** What DATABASE_URL would be. */
  readonly url: string
  /** Connections that were opened, ever. */
  readonly connections: number
  freeze(): void
  /** Answers to queries that contain `text` are held from now on, and no others. */
  holdAnswersTo(text: string): void
  /** Whether an answer of that kind is being held. */
  readonly isHolding: boolean
  /** Everything that was held goes on. */
  thaw(): void
  cut(): Promise<void>
  /** The next COMMIT reaches the server; its answer is lost with the connection. */
  loseNextCommit(): void
  restore(): Promise<void>
  stop(): Promise<void>
}

export async function startDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const proxy = new TcpProxy(new URL(databaseUrl))
  const [port = 0] = await freePorts(1)
  await proxy.listen(port)
  return proxy
}

class TcpProxy implements DatabaseProxy {
  connections = 0
  readonly #target: URL
  readonly #pairs = new Set<[Socket, Socket]>()
  #server: Server | null = null
  #port = 0
  #isFrozen = false
  readonly #held: (() => void)[] = []
  #commitsToLose = 0
  #textToHold = ''
  /** Sides of the server whose answers are held. */
  readonly #asked = new Set<Socket>()
  readonly #doomed = new Set<Socket>()

  constructor(target: URL) {
    this.#target = target
  }

  get url(): string {
    const url = new URL(this.#target)
    url.hostname = '127.0.0.1'
    url.port = String(this.#port)
    return url.href
  }

  async listen(port: number): Promise<void> {
    this.#server = createServer((client) => this.#join(client)).listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = port
  }

  freeze(): void {
    this.#isFrozen = true
  }

  holdAnswersTo(text: string): void {
    this.#textToHold = text
  }

  get isHolding(): boolean {
    return this.#held.length > 0
  }

  thaw(): void {
    this.#isFrozen = false
    this.#textToHold = ''
    this.#asked.clear()
    for (const goOn of this.#held.splice(0)) goOn()
  }

  async cut(): Promise<void> {
    const server = this.#server
    this.#server = null
    const closed = new Promise((resolve) => server?.close(resolve))
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy()
    await closed
  }

  loseNextCommit(): void {
    this.#commitsToLose++
  }

  async restore(): Promise<void> {
    await this.listen(this.#port)
  }

  async stop(): Promise<void> {
    if (this.#server !== null) await this.cut()
  }

  #join(client: Socket): void {
    this.connections++
    const server = connect(Number(this.#target.port), this.#target.hostname)
    const pair: [Socket, Socket] = [client, server]
    this.#pairs.add(pair)
    this.#forward(client, server, pair)
    this.#forward(server, client, pair)
  }

  #forward(from: Socket, to: Socket, pair: [Socket, Socket]): void {
    from.on('data', (bytes) => {
      if (this.#commitsToLose > 0 && from === pair[0] && bytes.includes('COMMIT')) {
        this.#commitsToLose--
        this.#doomed.add(to)
      } else if (this.#doomed.delete(from)) {
        for (const socket of pair) socket.destroy()
        return
      }
      const isClient = from === pair[0]
      if (isClient && this.#textToHold !== '' && bytes.includes(this.#textToHold)) {
        this.#asked.add(to)
      }
      if (this.#isFrozen || this.#asked.has(from)) this.#held.push(() => to.write(bytes))
      else to.write(bytes)
    })
    from.on('error', () => undefined)
    from.on('close', () => {
      this.#pairs.delete(pair)
      to.destroy()
    })
  }
}
