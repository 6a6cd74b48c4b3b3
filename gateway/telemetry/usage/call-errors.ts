// Failed calls on their way into the database. They are samples: what cannot be written is kept while there is room, and
// the oldest make way.
import { type Database, isUnavailable } from '../../../drizzle/client.ts'
import { newId } from '../../../drizzle/ids.ts'
import { callErrors } from '../../../drizzle/schema/index.ts'
import type { Log } from '../log.ts'
import type { FailedCall } from './samples.ts'

const heldMax = 2000
const rowsPerStatement = 200

export class CallErrors {
  readonly #database: Database
  readonly #log: Log
  #held: FailedCall[] = []

  constructor(database: Database, log: Log) {
    this.#database = database
    this.#log = log
  }

  receive(calls: readonly FailedCall[]): void {
    this.#held.push(...calls)
    if (this.#held.length > heldMax) this.#held = this.#held.slice(-heldMax)
  }

  /** Never rejects: while the database cannot be asked they wait, and what it does not take is dropped. */
  async write(): Promise<void> {
    while (this.#held.length > 0) {
      const calls = this.#held.splice(0, rowsPerStatement)
      try {
        await this.#database.orm.insert(callErrors).values(calls.map(rowOf))
      } catch (error) {
        if (isUnavailable(error)) {
          this.receive(calls)
          return
        }
        this.#log.error({ err: error, calls: calls.length }, 'failed calls cannot be kept')
      }
    }
  }
}

const rowOf = ({ occurredAtMs, ...call }: FailedCall): typeof callErrors.$inferInsert => ({
  id: newId('err', occurredAtMs),
  occurredAt: new Date(occurredAtMs),
  ...call
})
