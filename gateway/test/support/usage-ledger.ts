// A ledger without threads: tests hand it the banks that threads would.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '../../../drizzle/client.ts'
import { newId } from '../../../drizzle/ids.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { createLog } from '../../telemetry/log.ts'
import { CallErrors } from '../../telemetry/usage/call-errors.ts'
import {
  columnCount,
  costColumn,
  outcomeColumn,
  type UsageIdentity
} from '../../telemetry/usage/columns.ts'
import { UsageLedger } from '../../telemetry/usage/ledger.ts'

export const newSpoolFolder = (): string => mkdtempSync(join(tmpdir(), 'sluice-spool-'))

export function identityOf(number: number, orgId: string): UsageIdentity {
  const name = String(number).padStart(6, '0')
  return { orgId, endpointId: `ep_${name}`, chainId: 'chn_1', keyId: `key_${name}`, method: 'm' }
}

export interface LedgerOptions {
  readonly databaseUrl: string
  readonly spoolFolder: string
  readonly nodeId?: string
  readonly bootId?: string
  readonly flushMs?: number
  readonly clock?: Clock
  readonly spoolBytesMax?: number
  readonly statementTimeoutMs?: number
}

export interface TestLedger {
  readonly ledger: UsageLedger
  readonly bootId: string
  /** One call, in this minute, for each identity. */
  count(identities: readonly UsageIdentity[], minute?: number): void
  close(): Promise<void>
}

export function openLedger(options: LedgerOptions): TestLedger {
  const { databaseUrl, spoolFolder, nodeId = 'node', bootId = newId('boot') } = options
  const { flushMs = 20, clock = systemClock } = options
  // As few connections as there are, so that each statement fails soon when they are gone.
  const database: Database = openDatabase(databaseUrl, {
    connectionsMax: 2,
    statementTimeoutMs: options.statementTimeoutMs ?? 2000
  })
  const log = createLog('silent', 'ledger')
  let recorded = 0
  const ledger = new UsageLedger({
    database,
    clock,
    log,
    nodeId,
    bootId,
    flushMs,
    spoolFolder,
    spoolBytesMax: options.spoolBytesMax ?? 1e9,
    callErrors: new CallErrors(database, log),
    sealThreads: async () => true,
    recorded: () => recorded
  })
  return {
    ledger,
    bootId,
    count(identities, minute = Math.floor(clock.wallMs() / 60_000)) {
      const values = new Float64Array(identities.length * columnCount)
      for (let row = 0; row < identities.length; row++) {
        values[row * columnCount + outcomeColumn.ok] = 1
        values[row * columnCount + costColumn] = 2
      }
      recorded += identities.length
      ledger.receive({ minute, identities, values, recorded })
    },
    close: () => database.close()
  }
}
