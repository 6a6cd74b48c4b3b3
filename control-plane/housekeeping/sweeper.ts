// Removes what has had its time: expired tokens and sessions, kept answers, changes that every gateway has long applied,
// and usage that nobody may ask for any more. One control plane at a time, a limited number of rows in each statement and
// in each sweep. A sweep that fails is logged and tried again later; nothing depends on it but the size of the tables.
import type { Logger } from 'pino'
import { firstKeptAt } from '../analytics/time-range.ts'
import type { Clock } from '../clock.ts'
import { type Config, durations, sweeping } from '../config.ts'
import type { HousekeepingRepo } from './repo.ts'

const dayMs = 86_400_000
/**
 * Ended sessions and mails are kept a while longer for who looks into an incident; a gateway's name for one that comes back
 * and tells what it lost.
 */
const keptMs = { endings: 30 * dayMs, changes: 30 * dayMs, gatewayNodes: 30 * dayMs }

export interface SweeperDeps {
  repo: HousekeepingRepo
  clock: Clock
  log: Logger
  config: Pick<Config, 'retentionMs'>
}

export interface Sweep {
  rows: number
  /** Whether there is more to remove than one sweep may. */
  isLate: boolean
}

/** Removes up to so many rows in one statement, and answers how many those were. */
type Step = (rowsMax: number) => Promise<number>

export function createSweeper({ repo, clock, log, config }: SweeperDeps) {
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  /** Removes what is due. Null when another process is at it. */
  async function sweep(): Promise<Sweep | null> {
    return await repo.underLock(async () => {
      const sweep = { rows: 0, isLate: false }
      for (const step of stepsAt(clock())) {
        const rows = await removeAll(step)
        sweep.rows += rows
        sweep.isLate ||= rows >= sweeping.rowsPerTableMax
      }
      return sweep
    })
  }

  function stepsAt(now: Date): Step[] {
    const before = (ageMs: number) => new Date(now.getTime() - ageMs)
    const { retentionMs } = config
    const firstKept = (grain: '1m' | '1h' | '1d') =>
      new Date(firstKeptAt(grain, { now, retentionMs }))
    return [
      (max) => repo.removeRefreshTokens(before(keptMs.endings), max),
      (max) => repo.removeSessions(before(keptMs.endings), max),
      (max) => repo.removeEmailTokens(before(keptMs.endings), max),
      (max) => repo.removeAttemptCounts(now, max),
      (max) => repo.removeIdempotencyKeys(before(durations.idempotencyKey), max),
      (max) => repo.removeAuditEntries(before(retentionMs.auditLog), max),
      (max) => repo.removeGatewayNodes(before(keptMs.gatewayNodes), max),
      (max) => repo.removeChanges(before(keptMs.changes), max),
      (max) => repo.removeQuotaUsage(before(durations.quotaUsage), max),
      (max) => repo.removeCallErrors(before(retentionMs.callErrors), max),
      (max) => repo.removeUsage('usageMinutes', firstKept('1m'), max),
      (max) => repo.removeUsage('usageHours', firstKept('1h'), max),
      (max) => repo.removeUsage('usageDays', firstKept('1d'), max),
      // Not before the last flush that it could tell apart would be written to days that are removed.
      (max) => repo.removeUsageWriters(firstKept('1d'), max)
    ]
  }

  async function removeAll(step: Step): Promise<number> {
    let total = 0
    while (!isStopped && total < sweeping.rowsPerTableMax) {
      const removed = await step(sweeping.rowsPerStatementMax)
      if (removed === 0) break
      total += removed
    }
    return total
  }

  async function sweepAndWait(): Promise<void> {
    let isLate = false
    try {
      const swept = await sweep()
      isLate = swept?.isLate ?? false
      if (swept !== null && swept.rows > 0) log.info(swept, 'swept')
    } catch (error) {
      log.warn({ err: error }, 'a sweep failed')
    }
    if (!isStopped) wait(isLate ? sweeping.intervalWhenLateMs : sweeping.intervalMs)
  }

  function wait(ms: number): void {
    timer = setTimeout(() => void sweepAndWait(), ms).unref()
  }

  return {
    sweep,
    /** Sweeps once every ten minutes, for the first time in ten minutes: a start has better things to do. */
    start() {
      wait(sweeping.intervalMs)
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    }
  }
}
