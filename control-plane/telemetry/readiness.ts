// Whether this process can do its work: its database answers and has every migration. It never migrates by itself; it
// says what to run, in the log when it finds out and in /readyz, and goes on by itself as soon as all is well.
import type { Logger } from 'pino'
import type { Database } from '../../drizzle/client.ts'
import { sentenceOfDatabaseProblem } from '../../drizzle/database-problem.ts'
import { loadPendingMigrations, MigrationError } from '../../drizzle/migrate.ts'

const watchIntervalMs = 5000

export interface Readiness {
  status: 'ready' | 'not_ready' | 'draining'
  checks: { database: string; migrations: string }
}

export interface ReadinessWatch {
  /** Looks now; one look at a time, whoever asks. */
  check(): Promise<Readiness>
  /** From now on `draining`, whatever the database says. */
  drain(): void
  stop(): void
}

export function createReadinessWatch(deps: { database: Database; log: Logger }): ReadinessWatch {
  const { database, log } = deps
  let isDraining = false
  let isMigrated = false
  let lastTold = ''
  let underWay: Promise<Readiness> | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  async function look(): Promise<Readiness> {
    const checks = { database: 'ok', migrations: 'ok' }
    try {
      if (isMigrated) await database.pool.query('SELECT 1')
      else {
        const pending = await loadPendingMigrations(database)
        isMigrated = pending.length === 0
        if (!isMigrated) checks.migrations = `${pending.length} pending: run npm run migrate`
      }
    } catch (error) {
      const { message } = error as Error
      const isUnreachable = isMigrated || !(error instanceof MigrationError)
      if (isUnreachable) checks.database = sentenceOfDatabaseProblem(error) ?? message
      checks.migrations = isUnreachable ? 'unknown' : message
    }
    const isReady = checks.database === 'ok' && checks.migrations === 'ok'
    tell(isReady, checks)
    return { status: isReady ? 'ready' : 'not_ready', checks }
  }

  /** Once for each change of state, not once for each look. */
  function tell(isReady: boolean, checks: Readiness['checks']): void {
    const state = JSON.stringify(checks)
    if (state === lastTold) return
    lastTold = state
    if (isReady) log.info('the database is there and migrated')
    else log.error({ checks }, 'not ready')
  }

  async function check(): Promise<Readiness> {
    underWay ??= look().finally(() => {
      underWay = undefined
    })
    const readiness = await underWay
    return isDraining ? { ...readiness, status: 'draining' } : readiness
  }

  async function watch(): Promise<void> {
    await check()
    if (!isStopped) timer = setTimeout(() => void watch(), watchIntervalMs).unref()
  }
  void watch()

  return {
    check,
    drain() {
      isDraining = true
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    }
  }
}
