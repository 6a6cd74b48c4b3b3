// The control plane as an operating system sees it: exit codes, signals, ports, and a database that comes later.
import type { ChildProcess } from 'node:child_process'
import { type IncomingMessage, request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { spawn } from '../../scripts/test/support/processes.ts'
import { jwtSecret, secretKey } from './support/control-plane.ts'

const main = join(import.meta.dirname, '../main.ts')
const test = await createTestDatabase()
t.teardown(() => test.drop())

interface Run {
  child: ChildProcess
  output(): string
  /** Resolves when a line of the log or an error holds a text. */
  says(text: string): Promise<void>
  exit: Promise<number | null>
}

function run(env: Record<string, string>): Run {
  const child = spawn(process.execPath, [main], {
    env: env,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const listener of listeners) listener()
    })
  }
  return {
    child,
    output: () => output,
    says: (text) =>
      new Promise((resolve) => {
        const look = () => {
          if (output.includes(text)) resolve()
        }
        listeners.add(look)
        look()
      }),
    exit: new Promise((resolve) => child.on('close', resolve))
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((done) => server.once('listening', done))))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}

async function environment(): Promise<
  Record<string, string> & { port: number; adminPort: number }
> {
  const [port = 0, adminPort = 0] = await freePorts(2)
  const env = {
    DATABASE_URL: test.url,
    SECRET_KEY: secretKey,
    JWT_SECRET: jwtSecret,
    CONTROL_PLANE_HOST: '127.0.0.1',
    CONTROL_PLANE_PORT: String(port),
    CONTROL_PLANE_ADMIN_PORT: String(adminPort)
  }
  return Object.assign(env as Record<string, string>, { port, adminPort })
}

t.test('a wrong configuration ends with 78 and every problem', async (t) => {
  const { exit, output } = run({ CONTROL_PLANE_PORT: 'x' })
  t.equal(await exit, 78)
  for (const name of ['DATABASE_URL', 'SECRET_KEY', 'JWT_SECRET', 'CONTROL_PLANE_PORT']) {
    t.match(output(), name)
  }
})

t.test('a taken port is named, with the variable that changes it', async (t) => {
  const { port, adminPort, ...env } = await environment()
  const squatter = createServer().listen(port, '127.0.0.1')
  await new Promise((resolve) => squatter.once('listening', resolve))
  const { exit, output } = run(env)
  t.equal(await exit, 1)
  t.match(output(), new RegExp(`port ${port}: another program listens on it`))
  t.match(output(), 'CONTROL_PLANE_PORT')
  t.ok(adminPort)
  await new Promise((resolve) => squatter.close(resolve))
})

t.test('SIGTERM: a request that is under way is finished, then exit 0', async (t) => {
  const { port, adminPort, ...env } = await environment()
  const plane = run(env)
  await plane.says('the control plane serves')
  t.equal((await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status, 200)

  const body = JSON.stringify({ email: 'a@example.com', password: 'x' })
  const login = request(`http://127.0.0.1:${port}/v1/auth/login`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': body.length,
      expect: '100-continue'
    }
  })
  const answered = new Promise<IncomingMessage>((resolve) => login.once('response', resolve))
  const accepted = new Promise((resolve) => login.once('continue', resolve))
  login.flushHeaders()
  await accepted
  plane.child.kill('SIGTERM')
  await plane.says('stopping')
  const draining = await fetch(`http://127.0.0.1:${adminPort}/readyz`)
  t.equal(draining.status, 503, 'it is taken out of the rotation first')
  login.end(body)
  const answer = await answered
  t.equal(answer.statusCode, 401)
  answer.resume()
  t.equal(await plane.exit, 0)
})

t.test('it starts without its database, and says that it is not ready', async (t) => {
  const { adminPort, port: _port, ...env } = await environment()
  const [nowhere = 0] = await freePorts(1)
  const process = run({ ...env, DATABASE_URL: `mysql://root@127.0.0.1:${nowhere}/x` })
  await process.says('the control plane serves')
  await process.says('not ready')
  const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`)
  t.equal(ready.status, 503)
  t.match(await ready.json(), { status: 'not_ready', checks: { database: /ECONNREFUSED/ } })
  t.equal((await fetch(`http://127.0.0.1:${adminPort}/healthz`)).status, 200)
  process.child.kill('SIGTERM')
  t.equal(await process.exit, 0)
})
