// A whole control plane for a test file: the real application on a real socket, a real database of its own, mails in a
// folder, and a clock that the test moves.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../../drizzle/client.ts'
import { createTestDatabase } from '../../../drizzle/test/support/test-database.ts'
import { patienceMs } from '../../../scripts/test/support/until.ts'
import { createApp } from '../../app.ts'
import { type Config, readConfig } from '../../config.ts'
import { createMailer } from '../../mail/mailer.ts'
import { createLogger } from '../../telemetry/logger.ts'
import { createMetrics } from '../../telemetry/metrics.ts'
import { Client } from './client.ts'

export const secretKey = randomBytes(32).toString('base64')
export const jwtSecret = randomBytes(32).toString('hex')

export type ControlPlane = Awaited<ReturnType<typeof startControlPlane>>

export interface TestOptions {
  config?: Partial<Config>
  /** Instead of a new database. */
  databaseUrl?: string
  migrated?: boolean
  /** A statement without an answer for so long fails; five seconds unless told. */
  statementTimeoutMs?: number
  /** Gets every line of the log. */
  onLog?: (line: string) => void
}

export async function startControlPlane(options: TestOptions = {}) {
  const { databaseUrl, migrated = true, statementTimeoutMs } = options
  const test = databaseUrl === undefined ? await createTestDatabase({ migrated }) : null
  const folder = await mkdtemp(join(tmpdir(), 'control-plane-'))
  const config: Config = {
    ...readConfig({
      DATABASE_URL: test?.url ?? databaseUrl,
      SECRET_KEY: secretKey,
      JWT_SECRET: jwtSecret,
      SLUICE_DATA_DIR: folder,
      PUBLIC_RPC_URL: 'https://rpc.example.com',
      // Limits of new orgs are one test's matter.
      ORG_DEFAULT_REQUESTS_PER_SECOND: 'unlimited',
      ORG_DEFAULT_DAILY_QUOTA: 'unlimited',
      AUTH_RATE_PER_MINUTE: '100000',
      REST_RATE_PER_MINUTE: '100000',
      // A machine that is busy with other work makes every loop late: no test depends on that.
      EVENT_LOOP_DELAY_MS_MAX: '0'
    }),
    ...options.config
  }
  const time = { offsetMs: 0 }
  const clock = () => new Date(Date.now() + time.offsetMs)
  const { onLog } = options
  const log = onLog === undefined ? createLogger('silent') : createLogger('trace', { write: onLog })
  const database = openDatabase(config.databaseUrl, {
    connectTimeoutMs: patienceMs,
    statementTimeoutMs: statementTimeoutMs ?? patienceMs
  })
  const mailer = createMailer({ config, log, clock })
  const metrics = createMetrics()
  const app = await createApp({ config, database, mailer, metrics, log, clock })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`

  return {
    app,
    config,
    database,
    metrics,
    url,
    port,
    clock,
    client: (email?: string) => new Client(url, email),
    advance(ms: number) {
      time.offsetMs += ms
    },
    /** Every mail that was sent so far, the oldest first. */
    async mails(): Promise<string[]> {
      await mailer.drain()
      const names = await readdir(config.outboxDir).catch(() => [])
      const files = names.filter((name) => name.endsWith('.eml')).sort()
      return await Promise.all(files.map((name) => readFile(join(config.outboxDir, name), 'utf8')))
    },
    async stop() {
      await app.close()
      await mailer.drain()
      await database.close()
      await test?.drop()
      await rm(folder, { recursive: true, force: true })
    }
  }
}
