// What the ledger tells about itself. All figures of one scrape are read at one moment, so `recorded − flushed − pending`
// can be formed from them too.
import type { QuotaLedger } from '../../limits/quota-ledger.ts'
import type { Reading } from '../metrics.ts'
import type { UsageLedger } from './ledger.ts'

export interface Ledgers {
  readonly usage: UsageLedger
  readonly quotas: QuotaLedger
}

/** Whether every call is accounted for. */
const accountReadings = (usage: UsageLedger): Reading[] => [
  reading(
    'counter',
    'usage_recorded_total',
    'Calls that threads have counted for the ledger and handed over since the start.',
    () => usage.recorded
  ),
  reading(
    'counter',
    'usage_flushed_total',
    'Of the recorded calls, those that are in the database.',
    () => usage.flushed
  ),
  reading(
    'gauge',
    'usage_pending',
    'Of the recorded calls, those in memory or in the spool, not known to be in the database.',
    () => usage.pending
  ),
  reading(
    'gauge',
    'usage_unaccounted',
    'Recorded less flushed less pending: anything but 0 is a bug.',
    () => usage.recorded - usage.flushed - usage.pending
  )
]

/** How the writing goes. */
const writingReadings = (usage: UsageLedger): Reading[] => [
  reading(
    'gauge',
    'usage_spooled_flushes',
    'Flushes that wait on the disk for the database.',
    () => usage.spooled.size
  ),
  reading(
    'gauge',
    'usage_spooled_bytes',
    'Bytes of flushes that wait on the disk; beyond USAGE_SPOOL_BYTES_MAX they wait in memory.',
    () => usage.spooled.bytes
  ),
  reading(
    'counter',
    'usage_damaged_files_total',
    'Files of waiting usage that were not what had been written: their calls are missing.',
    () => usage.spooled.damaged
  ),
  reading(
    'gauge',
    'usage_flush_lag_seconds',
    'Seconds since all usage was last written to the database.',
    () => usage.lagSeconds
  ),
  reading(
    'gauge',
    'usage_flush_rows',
    'Rows of the last flush that had any.',
    () => usage.last.rows
  ),
  reading(
    'gauge',
    'usage_flush_duration_seconds',
    'Time that the last flush took that had any rows.',
    () => usage.last.ms / 1000
  ),
  reading(
    'counter',
    'usage_lock_retries_total',
    'Flushes that were tried again because of a deadlock or a wait for a lock.',
    () => usage.lockRetries
  ),
  reading(
    'gauge',
    'usage_lost_seconds_max',
    'An earlier run of this gateway was killed: calls of at most so many seconds are missing. 0 after an orderly end.',
    () => usage.lostSecondsMax
  )
]

export const usageReadings = ({ usage, quotas }: Ledgers): Reading[] => [
  ...accountReadings(usage),
  ...writingReadings(usage),
  reading(
    'gauge',
    'quota_flush_lag_seconds',
    'Seconds since all quota consumption was last written to the database.',
    () => quotas.lagSeconds
  )
]

function reading(type: Reading['type'], name: string, help: string, value: () => number): Reading {
  return {
    name: `sluice_gateway_${name}`,
    help,
    type,
    read: () => [{ labels: {}, value: value() }]
  }
}
