// A setback is an expected reason why a command cannot go on: its message says what is wrong and what to do, and is
// printed without a stack. Everything else that is thrown is a bug, or the system's own error, explained here.
import { sentenceOfDatabaseProblem } from '../drizzle/database-problem.ts'
import { ConfigurationError, exitCodeOfBadConfiguration } from '../drizzle/environment.ts'
import { MigrationError } from '../drizzle/migrate.ts'

export class Setback extends Error {
  override name = 'Setback'
}

/** What to print about an error, and the exit code that goes with it. */
export function explain(error: unknown): { text: string; exitCode: number } {
  if (error instanceof ConfigurationError)
    return { text: error.message, exitCode: exitCodeOfBadConfiguration }
  if (error instanceof Setback || error instanceof MigrationError)
    return { text: error.message, exitCode: 1 }
  const sentence = sentenceOfDatabaseProblem(error)
  if (sentence !== null) return { text: sentence, exitCode: 1 }
  const { code, path } = innermost(error)
  const place = path === undefined ? '' : ` (${path})`
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return { text: `the disk is full${place}: free some space and try again`, exitCode: 1 }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return {
      text: `this user may not write here${place}: was it made by another user?`,
      exitCode: 1
    }
  }
  return {
    text: error instanceof Error ? (error.stack ?? error.message) : String(error),
    exitCode: 1
  }
}

function innermost(error: unknown): { code?: string; path?: string } {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  return inner instanceof Error ? (inner as { code?: string; path?: string }) : {}
}
