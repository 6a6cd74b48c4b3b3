// A user's row that another transaction holds: it stands for a reset that is under way, and for a database that stalls.
import { setImmediate as turn } from 'node:timers/promises'
import type { ControlPlane } from './control-plane.ts'

export async function holdUser(plane: ControlPlane, email: string) {
  const connection = await plane.database.pool.getConnection()
  await connection.query('START TRANSACTION')
  await connection.query('SELECT id FROM users WHERE email = ? FOR UPDATE', [email])
  return {
    connection,
    /** Resolves when another connection waits for a lock of this one. */
    async isWaitedFor(): Promise<void> {
      const waiting = async () => {
        const [rows] = await plane.database.pool.query(
          `SELECT 1 FROM information_schema.processlist
            WHERE db = DATABASE() AND id <> CONNECTION_ID() AND info LIKE '%users%for update%'`
        )
        return (rows as unknown[]).length > 0
      }
      while (!(await waiting())) await turn()
    },
    async release(): Promise<void> {
      await connection.query('COMMIT')
      connection.release()
    }
  }
}
