// Without its database the control plane says so, quickly, and goes on by itself when it is back.
import { connect, createServer, type Server, type Socket } from 'node:net'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { createLogger } from '../telemetry/logger.ts'
import { createReadinessWatch } from '../telemetry/readiness.ts'
import { startControlPlane } from './support/control-plane.ts'
import { member } from './support/people.ts'

/** A way to the database that can be cut. */
class Bridge {
  readonly target: URL
  #server: Server | undefined
  #port = 0
  readonly #sockets = new Set<Socket>()
  constructor(target: string) {
    this.target = new URL(target)
  }
  get url(): string {
    const url = new URL(this.target)
    url.host = `127.0.0.1:${this.#port}`
    return url.href
  }
  async open(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(Number(this.target.port), this.target.hostname)
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.on('error', () => undefined)
        socket.on('close', () => this.#sockets.delete(socket))
      }
      near.pipe(far).pipe(near)
    }).listen(this.#port, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    this.#port = (server.address() as { port: number }).port
    this.#server = server
  }
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

const test = await createTestDatabase()
const bridge = new Bridge(test.url)
await bridge.open()
const lines: { msg: string; checks?: object }[] = []
const plane = await startControlPlane({ databaseUrl: bridge.url })
const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line)) })
const readiness = createReadinessWatch({ database: plane.database, log })
t.teardown(async () => {
  readiness.stop()
  await plane.stop()
  await bridge.cut()
  await test.drop()
})

t.test('down: 503 for what needs the database, at once; up again: served as before', async (t) => {
  const ann = await member(plane, 'ann')
  t.match(await readiness.check(), { status: 'ready' })

  await bridge.cut()
  const down = await ann.get('/v1/me')
  t.match(down, { status: 503, body: { code: 'database_unavailable' } })
  t.equal(down.headers.get('retry-after'), '1')
  t.equal((await ann.post('/v1/auth/login', { email: ann.email, password: 'x' })).status, 503)
  t.equal((await ann.post('/v1/auth/refresh')).status, 503)
  t.equal((await ann.get('/openapi.json')).status, 200, 'what needs none is served')
  t.match(await readiness.check(), { status: 'not_ready', checks: { database: /ECONN/ } })

  await bridge.open()
  t.equal((await ann.get('/v1/me')).status, 200)
  t.equal((await ann.post('/v1/auth/refresh')).status, 200, 'the session lives')
  t.match(await readiness.check(), { status: 'ready' })
})

t.test('the log tells each change of state once', async (t) => {
  await readiness.check()
  t.same(
    lines.map(({ msg }) => msg),
    ['the database is there and migrated', 'not ready', 'the database is there and migrated']
  )
})
