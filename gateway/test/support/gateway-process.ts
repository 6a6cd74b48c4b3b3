// A real gateway in a process of its own, on free ports, with a real database.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from '../../../scripts/test/support/processes.ts'
import { until } from '../../../scripts/test/support/until.ts'

export { until }

const mainFile = join(import.meta.dirname, '../../main.ts')
const dataFolder = mkdtempSync(join(tmpdir(), 'sluice-gateway-'))
process.on('exit', () => rmSync(dataFolder, { recursive: true, force: true }))
export const testSecretKey = Buffer.alloc(32, 7).toString('base64')

export interface GatewayProcess {
  readonly url: string
  readonly port: number
  readonly adminUrl: string
  readonly child: ChildProcess
  /** Everything it has printed. */
  readonly output: () => string
  /** The value of a metric, summed over the series whose line has every one of the words. */
  metric(name: string, ...words: string[]): Promise<number>
  readyz(): Promise<{ status: number; body: { status: string; checks: Record<string, string> } }>
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>
}

export interface GatewayOptions {
  readonly databaseUrl: string
  readonly env?: Readonly<Record<string, string>>
  /** Whether to wait until it is ready. Default true. */
  readonly ready?: boolean
  /** Another way to start it than Node itself, in a process group of its own. */
  readonly launch?: {
    readonly program: string
    readonly args: readonly string[]
    readonly cwd: string
    readonly env: Readonly<Record<string, string | undefined>>
  }
}

export async function startGateway({
  databaseUrl,
  env = {},
  ready = true,
  launch = { program: process.execPath, args: [mainFile], cwd: process.cwd(), env: {} }
}: GatewayOptions) {
  const [port, adminPort] = await freePorts(2)
  const child = spawn(launch.program, launch.args, {
    cwd: launch.cwd,
    detached: launch.program !== process.execPath,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...launch.env,
      DATABASE_URL: databaseUrl,
      SECRET_KEY: testSecretKey,
      GATEWAY_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      GATEWAY_ADMIN_PORT: String(adminPort),
      GATEWAY_THREADS: '1',
      SLUICE_DATA_DIR: dataFolder,
      DRAIN_DELAY_MS: '0',
      DRAIN_TIMEOUT_MS: '5000',
      ...env
    }
  })
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  child.stderr.on('data', (text) => {
    output += text
  })
  const adminUrl = `http://127.0.0.1:${adminPort}`
  const gateway: GatewayProcess = {
    url: `http://127.0.0.1:${port}`,
    port: port ?? 0,
    adminUrl,
    child,
    output: () => output,
    metric: async (name, ...words) =>
      sumOf(await (await fetch(`${adminUrl}/metrics`)).text(), name, words),
    async readyz() {
      const response = await fetch(`${adminUrl}/readyz`)
      return { status: response.status, body: (await response.json()) as never }
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      const exited = once(child, 'exit')
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const [code] = await exited
      return code
    }
  }
  if (ready) {
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null
    const isReady = async () => (await gateway.readyz()).status === 200
    await until(
      async () => hasEnded() || (await isReady()),
      () => output
    )
    if (hasEnded()) throw new Error(`the gateway ended before it was ready: ${output}`)
  }
  return gateway
}

/** Below those that systems give to outgoing connections and to port 0, so that nothing else takes one meanwhile. */
const lowestPort = 20_000
const portCount = 10_000

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = lowestPort + Math.floor(Math.random() * portCount)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return false
  }
  await new Promise((resolve) => server.close(resolve))
  return true
}

function sumOf(text: string, name: string, words: readonly string[]): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => words.every((word) => line.includes(word)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
