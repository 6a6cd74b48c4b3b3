// Removes what has had its time: expired tokens and sessions, kept answers, and changes that every gateway has long
// applied. Any number of control planes may sweep at once. A sweep that fails is logged and tried again later; nothing
// depends on it but the size of the tables.
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import { durations } from '../config.ts'
import type { HousekeepingRepo } from './repo.ts'

const intervalMs = 10 * 60_000
const rowsPerStatementMax = 1000
const dayMs = 86_400_000
/** Ended sessions and mails are kept a while longer for who looks into an incident. */
const keptMs = { endings: 30 * dayMs, changes: 30 * dayMs }

export interface SweeperDeps {
  repo: HousekeepingRepo
  clock: Clock
  log: Logger
}

export function createSweeper({ repo, clock, log }: SweeperDeps) {
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  /** Removes everything that is due, and answers how many rows that was. */
  async function sweep(): Promise<number> {
    const before = (ageMs: number) => new Date(clock().getTime() - ageMs)
    const steps = [
      () => repo.removeRefreshTokens(before(keptMs.endings), rowsPerStatementMax),
      () => repo.removeSessions(before(keptMs.endings), rowsPerStatementMax),
      () => repo.removeEmailTokens(before(keptMs.endings), rowsPerStatementMax),
      () => repo.removeIdempotencyKeys(before(durations.idempotencyKey), rowsPerStatementMax),
      () => repo.removeChanges(before(keptMs.changes), rowsPerStatementMax)
    ]
    let total = 0
    for (const step of steps) {
      let removed = 0
      do {
        removed = isStopped ? 0 : await step()
        total += removed
      } while (removed > 0)
    }
    return total
  }

  async function sweepAndWait(): Promise<void> {
    try {
      const rows = await sweep()
      if (rows > 0) log.info({ rows }, 'swept')
    } catch (error) {
      log.warn({ err: error }, 'a sweep failed')
    }
    if (!isStopped) timer = setTimeout(() => void sweepAndWait(), intervalMs).unref()
  }

  return {
    sweep,
    /** Sweeps once every ten minutes, for the first time in ten minutes: a start has better things to do. */
    start() {
      timer = setTimeout(() => void sweepAndWait(), intervalMs).unref()
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    }
  }
}
