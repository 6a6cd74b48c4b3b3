// What an operator can do about a database that cannot be used, in one sentence: start it, name it rightly, or migrate it.
// Everything else that a statement can fail with is a bug and keeps its stack.
import { isConnectionFailure } from './connection-failure.ts'

const sentences: Readonly<Record<string, string>> = {
  ER_NO_SUCH_TABLE: 'the database has not been migrated: run npm run migrate',
  ER_BAD_FIELD_ERROR: 'the database has not been migrated to this version: run npm run migrate',
  ER_BAD_DB_ERROR:
    'the server has no such database: create the one that DATABASE_URL names, then run npm run migrate',
  ER_ACCESS_DENIED_ERROR:
    'the database refuses the user or the password: check those in DATABASE_URL',
  ER_DBACCESS_DENIED_ERROR:
    'the database does not let this user in: grant it all rights on the database that DATABASE_URL names'
}

/** Null when it is none of these. The driver's own words are added: they name host and port, never a password. */
export function sentenceOfDatabaseProblem(error: unknown): string | null {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    const { code, message } = inner as Error & { code?: unknown }
    if (typeof code !== 'string') continue
    const words = message || code
    const sentence = sentences[code]
    if (sentence !== undefined) return `${sentence} (${words})`
    if (isConnectionFailure(inner)) {
      return `the database cannot be reached: check that it runs, and DATABASE_URL (${words})`
    }
  }
  return null
}
