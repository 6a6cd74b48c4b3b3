// One flush in the database: one transaction that adds its sums to the tables and moves its boot's `seq` from n − 1 to n.
// When the answer to the commit is lost, the flush is simply written again: if it had arrived, the seq has moved and
// nothing is added.
import type { Database } from '../../../drizzle/client.ts'
import { columnNames } from './columns.ts'
import { keyColumns, rowsOf, type TableName, type TableRow } from './rows.ts'
import type { Flush } from './spool.ts'

type Pool = Database['pool']
type Connection = Awaited<ReturnType<Pool['getConnection']>>

const rowsPerStatement = 400
/** Tries of a transaction that lost a deadlock (1213) or a wait for a lock (1205). */
const triesMax = 5
const lockErrors = new Set([1205, 1213])

const columnList = [...keyColumns, ...columnNames].join(', ')
const additions = columnNames.map((name) => `${name} = ${name} + VALUES(${name})`).join(', ')

export interface Written {
  /** Rows of all tables; 0 when the flush had been written before. */
  readonly rows: number
  /** Tries that a lock cost. */
  readonly retries: number
}

/** Throws the driver's error; the flush is then to be written again, as it is. */
export async function writeFlush(pool: Pool, flush: Flush): Promise<Written> {
  const tables = rowsOf(flush.minutes)
  for (let tries = 1; ; tries++) {
    try {
      return { rows: await transact(pool, flush, tables), retries: tries - 1 }
    } catch (error) {
      const { errno } = error as { errno?: number }
      if (tries >= triesMax || errno === undefined || !lockErrors.has(errno)) throw error
    }
  }
}

async function transact(
  pool: Pool,
  flush: Flush,
  tables: ReadonlyMap<TableName, readonly TableRow[]>
): Promise<number> {
  const connection = await pool.getConnection()
  try {
    // Without gap locks, which two writers could wait for crosswise.
    await connection.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
    await connection.beginTransaction()
    let count = 0
    if (await isNew(connection, flush)) count = await addAll(connection, tables)
    await connection.commit()
    connection.release()
    return count
  } catch (error) {
    // Closed rather than rolled back: whatever state it is in, the server then ends the transaction.
    connection.destroy()
    throw error
  }
}

/** Moves the writer's seq to this flush. False when it has moved already: the flush is in the tables. */
async function isNew(connection: Connection, flush: Flush): Promise<boolean> {
  const [result] = await connection.query(
    `UPDATE usage_writers SET seq = ?, complete_until = ?, updated_at = UTC_TIMESTAMP(3)
     WHERE boot_id = ? AND seq < ?`,
    [flush.seq, new Date(flush.completeUntilMs), flush.bootId, flush.seq]
  )
  if ((result as { affectedRows: number }).affectedRows === 1) return true
  const [rows] = await connection.query('SELECT seq FROM usage_writers WHERE boot_id = ?', [
    flush.bootId
  ])
  if ((rows as unknown[]).length === 0) {
    throw new Error(`usage_writers has no row for ${flush.bootId}: it must never be deleted`)
  }
  return false
}

async function addAll(
  connection: Connection,
  tables: ReadonlyMap<TableName, readonly TableRow[]>
): Promise<number> {
  let count = 0
  for (const [table, rows] of tables) {
    for (let first = 0; first < rows.length; first += rowsPerStatement) {
      // The names are constants of this program; the values are escaped by the driver.
      await connection.query(
        `INSERT INTO ${table} (${columnList}) VALUES ? ON DUPLICATE KEY UPDATE ${additions}`,
        [rows.slice(first, first + rowsPerStatement)]
      )
    }
    count += rows.length
  }
  return count
}

/** The row by which flushes of this boot are told apart; there may be one already. */
export async function registerWriter(pool: Pool, bootId: string, nodeId: string): Promise<void> {
  await pool.query(
    `INSERT INTO usage_writers (boot_id, node_id, seq, complete_until, updated_at)
     VALUES (?, ?, 0, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE node_id = node_id`,
    [bootId, nodeId]
  )
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
     WHERE w.node_id = ? AND w.boot_id < ? AND w.ended_at IS NULL`,
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
  const at = new Date(flush.completeUntilMs)
  for (let first = 0; first < sorted.length; first += keysPerStatement) {
    await pool.query(
      `UPDATE api_keys SET last_used_at = GREATEST(COALESCE(last_used_at, ?), ?)
       WHERE id IN (?) ORDER BY id`,
      [at, at, sorted.slice(first, first + keysPerStatement)]
    )
  }
}
