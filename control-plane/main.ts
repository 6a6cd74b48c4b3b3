// The control plane as a process: configuration → database (which need not be there yet) → REST and admin servers, and a
// stop that loses nothing: not ready first, then no new connections, then what is under way, then the database.
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { databaseDefaults, openDatabase } from '../drizzle/client.ts'
import { ConfigurationError, exitCodeOfBadConfiguration } from '../drizzle/environment.ts'
import { createShutdown, type Shutdown } from '../drizzle/shutdown.ts'
import { createApp } from './app.ts'
import { systemClock } from './clock.ts'
import { type Config, readConfig } from './config.ts'
import { createHousekeepingRepo } from './housekeeping/repo.ts'
import { createSweeper } from './housekeeping/sweeper.ts'
import { createMailer } from './mail/mailer.ts'
import { createAdminServer } from './telemetry/admin.ts'
import { createLogger } from './telemetry/logger.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createReadinessWatch } from './telemetry/readiness.ts'

/** What the end may take after the requests and mails: the database and the admin server. Milliseconds. */
const closeMs = 5000

async function main(shutdown: Shutdown): Promise<void> {
  const config = readConfig()
  const log = createLogger(config.logLevel)
  const database = openDatabase(config.databaseUrl, {
    ...databaseDefaults,
    connectionsMax: config.databaseConnectionsMax
  })
  const clock = systemClock
  const metrics = createMetrics()
  const mailer = createMailer({ config, log, clock })
  const readiness = createReadinessWatch({ database, log })
  const sweeper = createSweeper({ repo: createHousekeepingRepo(database), clock, log, config })
  const app = await createApp({ config, database, mailer, metrics, log, clock })
  const admin = createAdminServer({ metrics, readiness })

  shutdown.arm({
    log,
    timeoutMs: config.drainTimeoutMs + closeMs,
    async stop(_reason, hurry) {
      const cut = () => app.server.closeAllConnections()
      hurry.addEventListener('abort', cut)
      readiness.drain()
      const timeUp = delay(config.drainTimeoutMs, undefined, { ref: false })
      await Promise.race([app.close(), timeUp])
      cut()
      await Promise.race([mailer.drain(), timeUp])
      sweeper.stop()
      readiness.stop()
      await database.close()
      await admin.close()
    }
  })

  await listen(admin, config.adminHost, config.adminPort, 'CONTROL_PLANE_ADMIN_PORT')
  if (shutdown.isAsked) return
  await listen(app, config.host, config.port, 'CONTROL_PLANE_PORT')
  if (shutdown.isAsked) return
  sweeper.start()
  announce(log, config)
}

/** Throws an error that names the port and the variable when the port is taken or may not be used. */
async function listen(
  server: Pick<FastifyInstance, 'listen'>,
  host: string,
  port: number,
  variable: string
): Promise<void> {
  try {
    await server.listen({ host, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another program listens on it',
      EACCES: 'this user may not listen on it'
    }
    const reason = reasons[code ?? '']
    if (reason === undefined) throw error
    throw new StartError(`port ${port}: ${reason} (${message}). Set ${variable} to a free port.`)
  }
}

class StartError extends Error {
  override name = 'StartError'
}

function announce(log: Logger, config: Config): void {
  const { host, port, adminHost, adminPort } = config
  log.info(
    { rest: `http://${host}:${port}/v1`, admin: `http://${adminHost}:${adminPort}` },
    'the control plane serves'
  )
}

const shutdown = createShutdown()
try {
  await main(shutdown)
} catch (error) {
  // Asked to stop while it started: a server that is closed before it listens says so, and the end is under way.
  if (!shutdown.isAsked) fail(error)
}

function fail(error: unknown): never {
  const isOurs = error instanceof ConfigurationError || error instanceof StartError
  process.stderr.write(`control-plane: ${isOurs ? error.message : (error as Error).stack}\n`)
  process.exit(error instanceof ConfigurationError ? exitCodeOfBadConfiguration : 1)
}
