// A MariaDB in a container, for machines that have a docker engine and nothing better. Its data lies in a volume named
// after the data folder, because files that a container's user owns could not be deleted with the folder.
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { isConnectionFailure, openDatabase } from '../../drizzle/client.ts'
import { findFreePort, isFree } from '../ports.ts'
import { readPrivateJson, writePrivateJson } from '../private-file.ts'
import type { Progress } from '../report.ts'
import { Setback } from '../setback.ts'

const run = promisify(execFile)
const image = 'mariadb:11.4'
const answerTimeoutMs = 5000
const pullTimeoutMs = 600_000
const startTimeoutMs = 120_000
const pollMs = 250

export interface DockerOptions {
  folder: string
  env: Record<string, string | undefined>
  progress: Progress
  signal: AbortSignal
}

interface Container {
  port: number
  password: string
}

/** A client without an engine behind it says so only when it is asked. */
export async function hasDockerEngine(env: DockerOptions['env']): Promise<boolean> {
  try {
    await run('docker', ['info'], { env, timeout: answerTimeoutMs })
    return true
  } catch {
    return false
  }
}

/** Starts the container, or takes the one that an earlier run left. Throws Setback with docker's own words. */
export async function startDockerInstance(
  options: DockerOptions
): Promise<{ url: string; port: number; stop(graceMs: number): Promise<void> }> {
  const name = `sluice-${createHash('sha256').update(options.folder).digest('hex').slice(0, 12)}`
  const path = join(options.folder, 'container.json')
  const known = readPrivateJson<Container>(path)
  await run('docker', ['rm', '--force', name], { env: options.env }).catch(() => undefined)
  const container = {
    port: known !== undefined && (await isFree(known.port)) ? known.port : await findFreePort(),
    password: known?.password ?? randomBytes(24).toString('base64url')
  }
  writePrivateJson(path, container)
  options.progress(`starting a container of ${image}`)
  await docker(
    options,
    [
      'run',
      '--detach',
      '--rm',
      `--name=${name}`,
      `--volume=${name}:/var/lib/mysql`,
      `--publish=127.0.0.1:${container.port}:3306`,
      // By name only: the value would be in the process list.
      '--env=MARIADB_ROOT_PASSWORD',
      '--env=MARIADB_DATABASE=sluice',
      image
    ],
    { MARIADB_ROOT_PASSWORD: container.password }
  )
  const url = `mysql://root:${container.password}@127.0.0.1:${container.port}/sluice`
  await waitUntilItAnswers(url, options.signal)
  return {
    url,
    port: container.port,
    async stop(graceMs) {
      const seconds = String(Math.max(1, Math.floor(graceMs / 1000)))
      await run('docker', ['stop', `--time=${seconds}`, name], { env: options.env })
    }
  }
}

async function docker(
  options: DockerOptions,
  args: string[],
  secrets: Record<string, string>
): Promise<void> {
  try {
    await run('docker', args, {
      env: { ...options.env, ...secrets },
      timeout: pullTimeoutMs,
      signal: options.signal
    })
  } catch (error) {
    options.signal.throwIfAborted()
    const words = (error as { stderr?: string }).stderr?.trim() || (error as Error).message
    throw new Setback(`docker: ${words}`, { cause: error })
  }
}

async function waitUntilItAnswers(url: string, signal: AbortSignal): Promise<void> {
  const database = openDatabase(url, { connectionsMax: 1, connectTimeoutMs: 1000 })
  const deadlineMs = performance.now() + startTimeoutMs
  try {
    for (;;) {
      signal.throwIfAborted()
      try {
        await database.pool.query('SELECT 1')
        return
      } catch (error) {
        // The image first runs a server of its own that refuses everybody, then the real one.
        if (!isConnectionFailure(error) && !isRefusedLogin(error)) throw error
        if (performance.now() > deadlineMs) {
          throw new Setback('the database in the container does not answer', { cause: error })
        }
      }
      await delay(pollMs)
    }
  } finally {
    await database.close()
  }
}

function isRefusedLogin(error: unknown): boolean {
  return (error as { code?: string }).code === 'ER_ACCESS_DENIED_ERROR'
}
