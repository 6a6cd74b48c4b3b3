// A control plane on a database, as a process of its own, asked over HTTP as its users ask it: by the operator, who sees
// every org.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { childEnvironment, projectRoot } from '../../scripts/config.ts'
import { findFreePort } from '../../scripts/ports.ts'

const readyTimeoutMs = 30_000
const readyPollMs = 50

export interface Answer {
  ms: number
  text: string
}

export interface ControlPlane {
  /** Milliseconds until the last byte of the answer. Throws on any other status than 200. */
  ask(path: string): Promise<Answer>
  stop(): Promise<void>
}

export async function startControlPlane(databaseUrl: string): Promise<ControlPlane> {
  const operator = await createOperator(databaseUrl)
  const [port, adminPort] = [await findFreePort(), await findFreePort()]
  const child = spawn(process.execPath, [join(projectRoot, 'control-plane/main.ts')], {
    env: childEnvironment({
      DATABASE_URL: databaseUrl,
      SECRET_KEY: randomBytes(32).toString('base64'),
      JWT_SECRET: randomBytes(32).toString('hex'),
      CONTROL_PLANE_HOST: '127.0.0.1',
      CONTROL_PLANE_PORT: String(port),
      CONTROL_PLANE_ADMIN_PORT: String(adminPort),
      REST_RATE_PER_MINUTE: '1000000',
      LOG_LEVEL: 'error'
    }),
    stdio: ['ignore', process.stderr, 'inherit']
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  try {
    await untilReady(`http://127.0.0.1:${adminPort}/readyz`)
    const url = `http://127.0.0.1:${port}`
    const token = await login(url, operator)
    return { ask: (path) => ask(url + path, token), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Credentials {
  email: string
  password: string
}

async function createOperator(databaseUrl: string): Promise<Credentials> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(projectRoot, 'scripts/operator.ts'), '--email', 'bench@example.com', '--json'],
    { env: childEnvironment({ DATABASE_URL: databaseUrl }) }
  )
  return JSON.parse(stdout)
}

async function untilReady(url: string): Promise<void> {
  const deadlineMs = performance.now() + readyTimeoutMs
  for (;;) {
    const isReady = await fetch(url).then(
      (answer) => answer.ok,
      () => false
    )
    if (isReady) return
    if (performance.now() > deadlineMs) {
      throw new Error(`the control plane was not ready within ${readyTimeoutMs} ms`)
    }
    await delay(readyPollMs)
  }
}

async function login(url: string, { email, password }: Credentials): Promise<string> {
  const answer = await fetch(`${url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password })
  })
  const { access_token: token } = (await answer.json()) as { access_token: string }
  return token
}

async function ask(url: string, token: string): Promise<Answer> {
  const startedAt = performance.now()
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  const text = await answer.text()
  const ms = performance.now() - startedAt
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${text}`)
  return { ms, text }
}
