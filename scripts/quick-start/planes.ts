// The two processes of Sluice as the quick start runs them: configured by environment alone, exactly as in production,
// and not "up" before their own /readyz says so.
import { setTimeout as delay } from 'node:timers/promises'
import type { Child, ChildProcesses } from '../child-processes.ts'
import { childEnvironment, projectRoot, type QuickStartConfig } from '../config.ts'
import type { Lifetime } from '../lifetime.ts'
import { Setback } from '../setback.ts'

const readyTimeoutMs = 60_000
const pollMs = 50
/** Calls under way get so long, so that Ctrl-C ends everything within 5 s. */
const drainMs = 2000
/** A plane that still lives then is killed. It ends sooner by itself; where the database hangs it first saves its usage. */
const planeGraceMs = 25_000

export interface PlaneOptions {
  config: QuickStartConfig
  processes: ChildProcesses
  databaseUrl: string
  secretKey: string
  jwtSecret: string
  lifetime: Lifetime
}

/** Resolves when both are ready. Throws Setback with the last words of one that is not. */
export async function startPlanes(options: PlaneOptions): Promise<Child[]> {
  const { config, databaseUrl, secretKey, processes } = options
  const shared = { DATABASE_URL: databaseUrl, SECRET_KEY: secretKey }
  const gateway = {
    ...shared,
    GATEWAY_HOST: config.GATEWAY_HOST,
    GATEWAY_PORT: config.GATEWAY_PORT,
    GATEWAY_ADMIN_HOST: config.GATEWAY_ADMIN_HOST,
    GATEWAY_ADMIN_PORT: config.GATEWAY_ADMIN_PORT,
    GATEWAY_THREADS: config.GATEWAY_THREADS,
    SLUICE_DATA_DIR: config.SLUICE_DATA_DIR,
    DRAIN_DELAY_MS: 0,
    DRAIN_TIMEOUT_MS: drainMs
  }
  const controlPlane = {
    ...shared,
    JWT_SECRET: options.jwtSecret,
    CONTROL_PLANE_HOST: config.CONTROL_PLANE_HOST,
    CONTROL_PLANE_PORT: config.CONTROL_PLANE_PORT,
    CONTROL_PLANE_ADMIN_HOST: config.CONTROL_PLANE_ADMIN_HOST,
    CONTROL_PLANE_ADMIN_PORT: config.CONTROL_PLANE_ADMIN_PORT,
    PUBLIC_RPC_URL: urlOf(config.GATEWAY_HOST, config.GATEWAY_PORT),
    SLUICE_DATA_DIR: config.SLUICE_DATA_DIR,
    DRAIN_TIMEOUT: drainMs / 1000
  }
  const start = (name: string, values: Record<string, string | number>) =>
    processes.start({
      name,
      program: process.execPath,
      args: [`${name}/main.ts`],
      env: childEnvironment(values),
      cwd: projectRoot
    })
  const planes = await Promise.all([
    start('gateway', gateway),
    start('control-plane', controlPlane)
  ])
  options.lifetime.atEnd(async () => {
    await Promise.all(planes.map((plane) => plane.stop(planeGraceMs)))
  })
  const admins = [
    urlOf(config.GATEWAY_ADMIN_HOST, config.GATEWAY_ADMIN_PORT),
    urlOf(config.CONTROL_PLANE_ADMIN_HOST, config.CONTROL_PLANE_ADMIN_PORT)
  ]
  const { signal } = options.lifetime
  await Promise.all(
    planes.map((plane, index) => untilReady(plane, `${admins[index]}/readyz`, signal))
  )
  return planes
}

/** The way to a listener from this machine. */
export function urlOf(host: string, port: number): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`
}

async function untilReady(plane: Child, url: string, signal: AbortSignal): Promise<void> {
  let end: string | undefined
  void plane.ended.then((how) => {
    end = how
  })
  const deadlineMs = performance.now() + readyTimeoutMs
  for (;;) {
    signal.throwIfAborted()
    const answer = await ask(url)
    if (answer === 'ready') return
    if (end !== undefined) {
      throw new Setback(
        `the ${plane.name} ended with ${end} instead of starting:\n${plane.logTail()}`
      )
    }
    if (performance.now() > deadlineMs) {
      throw new Setback(
        `the ${plane.name} is not ready after ${readyTimeoutMs / 1000} s; ${url} says: ${answer}\n${plane.logTail()}`
      )
    }
    await delay(pollMs)
  }
}

/** `ready`, or what it said instead. */
async function ask(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) })
    const text = await response.text()
    return response.ok ? 'ready' : `${response.status} ${text}`
  } catch (error) {
    return String((error as Error).cause ?? error)
  }
}
