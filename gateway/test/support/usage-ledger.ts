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
  readonly ledger: TestableLedger
  readonly bootId: string
  /** One call, in this minute, for each identity. */
  count(identities: readonly UsageIdentity[], minute?: number): void
  /** From now on it does nothing any more, as a process that was killed. Resolves when that is certain. */
  kill(): Promise<void>
  close(): Promise<void>
}

/** It can say whether it will flush again. */
class TestableLedger extends UsageLedger {
  isRunning = false

  override async start(): Promise<void> {
    await super.start()
    this.isRunning = true
  }

  override async stop(): Promise<void> {
    this.isRunning = false
    await super.stop()
  }
}

export function openLedger(options: LedgerOptions): TestLedger {
  const { databaseUrl, spoolFolder, nodeId = 'node', bootId = newId('boot') } = options
  const { flushMs = 20, clock = systemClock } = options
  // As few connections as there are, so that each statement fails soon when they are gone.
  const database: Database = openDatabase(databaseUrl, {
    connectionsMax: 2,
    statementTimeoutMs: options.statementTimeoutMs ?? 2000
  })
  const log = createLog('silent')
  let recorded = 0
  let isKilled = false
  const died = Promise.withResolvers<void>()
  const ledger = new TestableLedger({
    database,
    clock,
    log,
    nodeId,
    bootId,
    flushMs,
    spoolFolder,
    spoolBytesMax: options.spoolBytesMax ?? 1e9,
    callErrors: new CallErrors(database, log),
    // Every flush begins here, and none goes on from here when the ledger is dead.
    sealThreads: () => {
      if (!isKilled) return Promise.resolve(true)
      died.resolve()
      return new Promise(() => undefined)
    },
    recorded: () => recorded
  })
  const kill = async () => {
    if (ledger.isRunning) {
      isKilled = true
      await died.promise
      ledger.isRunning = false
    }
  }
  return {
    ledger,
    bootId,
    kill,
    count(identities, minute = Math.floor(clock.wallMs() / 60_000)) {
      const values = new Float64Array(identities.length * columnCount)
      for (let row = 0; row < identities.length; row++) {
        values[row * columnCount + outcomeColumn.ok] = 1
        values[row * columnCount + costColumn] = 2
      }
      recorded += identities.length
      ledger.receive({ minute, identities, values, recorded })
    },
    async close() {
      await kill()
      await database.close()
    }
  }
}
