// `npm run operator -- --email you@example.com`: makes the operator's account, or gives an existing account the operator's
// rights. A new account gets a random password, which is printed once; an existing one keeps its own unless
// --reset-password is given. --json prints one line for programs: {"user_id","email","password"}, password null when kept.
import { parseArgs } from 'node:util'
import { systemClock } from '../control-plane/clock.ts'
import { readOperatorConfig } from '../control-plane/config.ts'
import {
  createOperatorAccounts,
  EmailAddressError,
  type OperatorAccount
} from '../control-plane/users/operator-account.ts'
import { openDatabase } from '../drizzle/client.ts'
import { sentenceOfDatabaseProblem } from '../drizzle/database-problem.ts'
import { ConfigurationError, exitCodeOfBadConfiguration } from '../drizzle/environment.ts'
import { loadPendingMigrations } from '../drizzle/migrate.ts'

const usage = 'usage: npm run operator -- --email you@example.com [--reset-password] [--json]'
/** EX_USAGE of sysexits.h. */
const exitCodeOfBadUsage = 64

class UsageError extends Error {
  override name = 'UsageError'
}

async function main(): Promise<void> {
  const options = readOptions()
  const database = openDatabase(readOperatorConfig().databaseUrl, { connectionsMax: 2 })
  try {
    const pending = await loadPendingMigrations(database)
    if (pending.length > 0) {
      throw new Error('the database has not been migrated: run npm run migrate first')
    }
    const accounts = createOperatorAccounts({ database, clock: systemClock })
    print(await accounts.ensure(options.email, options.resetPassword), options.json)
  } finally {
    await database.close()
  }
}

function readOptions(): { email: string; resetPassword: boolean; json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        email: { type: 'string' },
        'reset-password': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false }
      }
    })
    const { email, json, 'reset-password': resetPassword } = values
    if (email === undefined) throw new UsageError('--email is missing')
    return { email, resetPassword, json }
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message)
  }
}

function print({ userId, email, password }: OperatorAccount, asJson: boolean): void {
  const text = asJson
    ? JSON.stringify({ user_id: userId, email, password })
    : password === null
      ? `${email} is the operator, with the password it had.`
      : `${email} is the operator. Its password, which is shown only now:\n\n  ${password}\n`
  process.stdout.write(`${text}\n`)
}

try {
  await main()
} catch (error) {
  const { message, cause } = error as Error
  const reason =
    sentenceOfDatabaseProblem(error) ?? (cause instanceof Error ? cause.message : message)
  const isUsage = error instanceof UsageError || error instanceof EmailAddressError
  process.stderr.write(`operator: ${reason}\n${isUsage ? `${usage}\n` : ''}`)
  if (isUsage) process.exitCode = exitCodeOfBadUsage
  else process.exitCode = error instanceof ConfigurationError ? exitCodeOfBadConfiguration : 1
}
