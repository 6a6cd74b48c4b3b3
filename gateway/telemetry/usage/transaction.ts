// One flush in the database: one transaction that adds its sums to the tables and moves its boot's `seq` to its number.
// When the answer to the commit is lost, the flush is simply written again: if it had arrived, the seq has moved and
// nothing is added. That holds only while the flushes of a boot are written in order, which is the ledger's part.
import type { Database } from '../../../drizzle/client.ts'
import { columnNames } from './columns.ts'
import {
  type GrainsByMinute,
  grainsByMinute,
  keyColumns,
  rowOf,
  rowSourcesOf,
  tableNames
} from './rows.ts'
import type { Flush } from './spool.ts'

export type Pool = Database['pool']
type Connection = Awaited<ReturnType<Pool['getConnection']>>

const rowsPerStatement = 400
/** Tries of a transaction that lost a deadlock (1213) or a wait for a lock (1205). */
const triesMax = 5
const lockErrors = new Set([1205, 1213])
/** Shorter than a statement may take before its connection is given up (main.ts): a lock costs a try, not a connection. */
const lockWaitSeconds = 2
/** A gateway that was not heard of for so long is gone. */
const aliveSeconds = 30

const columnList = [...keyColumns, ...columnNames].join(', ')
const additions = columnNames.map((name) => `${name} = ${name} + VALUES(${name})`).join(', ')

/** The row of a boot is not there: it was never made, or the database was put back to an earlier state. */
export class WriterMissingError extends Error {
  override readonly name = 'WriterMissingError'
}

export interface Written {
  /** Rows of all tables; 0 when there were none, or the flush had been written before. */
  readonly rows: number
  readonly wasWritten: boolean
  /** Flushes before this one that the database does not have: it was put back to an earlier state. */
  readonly gap: number
  /** Tries that a lock cost. */
  readonly retries: number
}

/** Throws the driver's error, or WriterMissingError; the flush is then to be written again, as it is. */
export async function writeFlush(pool: Pool, flush: Flush): Promise<Written> {
  const grains = grainsByMinute(flush.minutes)
  for (let tries = 1; ; tries++) {
    try {
      return { ...(await transact(pool, flush, grains)), retries: tries - 1 }
    } catch (error) {
      const { errno } = error as { errno?: number }
      if (tries >= triesMax || errno === undefined || !lockErrors.has(errno)) throw error
    }
  }
}

async function transact(
  pool: Pool,
  flush: Flush,
  grains: GrainsByMinute
): Promise<Omit<Written, 'retries'>> {
  const connection = await pool.getConnection()
  try {
    await connection.query(`SET SESSION innodb_lock_wait_timeout = ${lockWaitSeconds}`)
    // Without gap locks, which two writers could wait for crosswise.
    await connection.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
    await connection.beginTransaction()
    const before = await lockWriter(connection, flush.bootId)
    const wasWritten = before >= flush.seq
    const rows = wasWritten ? 0 : await addAll(connection, flush, grains)
    await connection.commit()
    connection.release()
    return { rows, wasWritten, gap: wasWritten ? 0 : flush.seq - before - 1 }
  } catch (error) {
    // Closed rather than rolled back: whatever state it is in, the server then ends the transaction.
    connection.destroy()
    throw error
  }
}

/** The number of the boot's last flush in the tables. Whoever else writes for it waits until this one is through. */
async function lockWriter(connection: Connection, bootId: string): Promise<number> {
  const [rows] = await connection.query(
    'SELECT seq FROM usage_writers WHERE boot_id = ? FOR UPDATE',
    [bootId]
  )
  const [row] = rows as { seq: number }[]
  if (row === undefined) throw new WriterMissingError(`usage_writers has no row for ${bootId}`)
  return row.seq
}

async function addAll(
  connection: Connection,
  flush: Flush,
  grains: GrainsByMinute
): Promise<number> {
  let count = 0
  for (const table of tableNames) {
    // A table at a time, with the server's answers in between: the main thread has other work too.
    const rows = rowSourcesOf(table, grains)
    for (let first = 0; first < rows.length; first += rowsPerStatement) {
      // The names are constants of this program; the values are escaped by the driver.
      await connection.query(
        `INSERT INTO ${table} (${columnList}) VALUES ? ON DUPLICATE KEY UPDATE ${additions}`,
        [rows.slice(first, first + rowsPerStatement).map(rowOf)]
      )
    }
    count += rows.length
  }
  const until = flush.completeUntilMs === null ? null : new Date(flush.completeUntilMs)
  await connection.query(
    `UPDATE usage_writers SET seq = ?, complete_until = COALESCE(?, complete_until),
     updated_at = UTC_TIMESTAMP(3), ended_at = NULL WHERE boot_id = ?`,
    [flush.seq, until, flush.bootId]
  )
  return count
}

export interface Writer {
  readonly bootId: string
  readonly nodeId: string
  /** What of it is in the tables, should the row not be there. */
  readonly seq: number
  readonly completeUntil: Date
}

/** The row by which flushes of this boot are told apart; there may be one already. */
export async function registerWriter(pool: Pool, writer: Writer): Promise<void> {
  const { bootId, nodeId, seq, completeUntil } = writer
  await pool.query(
    `INSERT INTO usage_writers (boot_id, node_id, seq, complete_until, updated_at)
     VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE node_id = node_id`,
    [bootId, nodeId, seq, completeUntil]
  )
}

/** Whether a gateway of this boot was heard of lately: it then writes its own usage. */
export async function isAlive(pool: Pool, bootId: string): Promise<boolean> {
  const [rows] = await pool.query(
    `SELECT 1 FROM gateway_nodes
     WHERE boot_id = ? AND seen_at > UTC_TIMESTAMP(3) - INTERVAL ${aliveSeconds} SECOND`,
    [bootId]
  )
  return (rows as unknown[]).length > 0
}

/** All that this boot counted is in the tables. */
export async function endWriter(pool: Pool, bootId: string): Promise<void> {
  await pool.query('UPDATE usage_writers SET ended_at = UTC_TIMESTAMP(3) WHERE boot_id = ?', [
    bootId
  ])
}

export interface UncleanEnd {
  readonly bootId: string
  /** Everything that it counted before this moment is in the tables. */
  readonly completeUntil: Date
  /** When it was last heard of; null where that is forgotten. */
  readonly seenAt: Date | null
}

/** Earlier boots of this node that neither said goodbye nor will be heard of again. */
export async function findUncleanEnds(
  pool: Pool,
  bootId: string,
  nodeId: string
): Promise<UncleanEnd[]> {
  const [rows] = await pool.query(
    `SELECT w.boot_id AS bootId, w.complete_until AS completeUntil, n.seen_at AS seenAt
     FROM usage_writers w LEFT JOIN gateway_nodes n ON n.node_id = w.node_id AND n.boot_id = w.boot_id
     WHERE w.node_id = ? AND w.boot_id <> ? AND w.ended_at IS NULL`,
    [nodeId, bootId]
  )
  return rows as UncleanEnd[]
}

const keysPerStatement = 500

/** Each key's last use, to the precision of a flush. Not in the transaction: it would lock the keys for as long. */
export async function noteLastUse(pool: Pool, flush: Flush): Promise<void> {
  const keyIds = new Set<string>()
  for (const sums of flush.minutes.values()) {
    for (const { identity } of sums.values()) keyIds.add(identity.keyId)
  }
  const sorted = [...keyIds].sort()
  const at = new Date(flush.completeUntilMs ?? 0)
  for (let first = 0; first < sorted.length; first += keysPerStatement) {
    await pool.query(
      `UPDATE api_keys SET last_used_at = GREATEST(COALESCE(last_used_at, ?), ?)
       WHERE id IN (?) ORDER BY id`,
      [at, at, sorted.slice(first, first + keysPerStatement)]
    )
  }
}
