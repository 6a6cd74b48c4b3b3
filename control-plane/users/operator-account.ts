// The operator's account, as the quick start and `npm run operator` make it: an account with a verified address, promoted
// when it exists already. Its password is random and told once; an existing one is kept unless a new one is asked for.
import { randomBytes } from 'node:crypto'
import type { Database } from '../../drizzle/client.ts'
import { newId } from '../../drizzle/ids.ts'
import { actBy } from '../audit/audit-entry.ts'
import { createPasswordHasher } from '../auth/password-hasher.ts'
import type { Clock } from '../clock.ts'
import { normaliseEmail } from './email-address.ts'
import { createUserRepo, type UserRow } from './repo.ts'

export interface OperatorAccount {
  userId: string
  email: string
  /** Null when the account kept the password it had. */
  password: string | null
}

/** Thrown for a text that is no email address. */
export class EmailAddressError extends Error {
  override name = 'EmailAddressError'
}

export function createOperatorAccounts(deps: { database: Pick<Database, 'orm'>; clock: Clock }) {
  const repo = createUserRepo(deps.database)
  const passwords = createPasswordHasher({ queueMax: 0 })
  const caller = {
    ip: 'local',
    addressBlock: 'local',
    requestId: 'operator_command',
    clientRequestId: null,
    userAgent: null
  }

  async function create(email: string): Promise<OperatorAccount> {
    const now = deps.clock()
    const password = newPassword()
    const user: UserRow = {
      id: newId('usr', now.getTime()),
      email,
      passwordHash: await passwords.hash(password),
      firstName: 'Operator',
      lastName: 'Operator',
      isOperator: true,
      emailVerifiedAt: now,
      createdAt: now,
      updatedAt: now
    }
    await repo.createOperator(user, promotionOf(user))
    return { userId: user.id, email, password }
  }

  async function promote(user: UserRow, resetPassword: boolean): Promise<OperatorAccount> {
    const now = deps.clock()
    const emailVerifiedAt = user.emailVerifiedAt ?? now
    await repo.update(user.id, { isOperator: true, emailVerifiedAt }, promotionOf(user), now)
    if (!resetPassword) return { userId: user.id, email: user.email, password: null }
    const password = newPassword()
    const audit = actBy(user.id, caller, 'user.reset_password', { targetId: user.id })
    await repo.setPassword(user.id, await passwords.hash(password), audit, now)
    return { userId: user.id, email: user.email, password }
  }

  const promotionOf = (user: UserRow) =>
    actBy(user.id, caller, 'user.promote', { targetId: user.id })

  return {
    /** Creates or promotes. Throws EmailAddressError, or the driver's error. */
    async ensure(address: string, resetPassword: boolean): Promise<OperatorAccount> {
      const email = normaliseEmail(address)
      if (email === null) throw new EmailAddressError(`${address} is no email address`)
      const user = await repo.findByEmail(email)
      return user === null ? await create(email) : await promote(user, resetPassword)
    }
  }
}

/** 120 random bits, in groups that can be copied by hand. */
function newPassword(): string {
  return (randomBytes(15).toString('hex').match(/.{6}/g) ?? []).join('-')
}
