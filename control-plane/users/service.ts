// Accounts: from registration to a verified address, a forgotten password, and what users may change about themselves.
// Whether an address has an account is never told: the answer and the work are the same, and the owner gets a mail.
// A mailed link proves whose address it is, not who made the account. Who follows it must also be who registered (by
// their session or the password), or set a new password, which ends everything that was made before: otherwise somebody
// could register an address of somebody else, and wait inside until its owner follows the link.
import { actBy, actOf } from '../audit/audit-entry.ts'
import { hashToken, newToken } from '../auth/opaque-token.ts'
import type { PasswordHasher } from '../auth/password-hasher.ts'
import type { Clock } from '../clock.ts'
import { durations } from '../config.ts'
import { Failure, invalidFields } from '../errors.ts'
import type { Actor, Caller } from '../http/app-type.ts'
import type { Limits } from '../limits.ts'
import { accountExistsLetter, resetPasswordLetter, verifyEmailLetter } from '../mail/letters.ts'
import type { Mailer } from '../mail/mailer.ts'
import { whyGuessable } from '../passwords/guessable.ts'
import { normaliseEmail } from './email-address.ts'
import type { EmailTokenRow } from './mailed-tokens.ts'
import type { UserRepo, UserRow } from './repo.ts'

/** Mails of one kind that one user is sent in an hour: an address must not be flooded through us. */
const mailsPerHourMax = 5
const hourMs = 3_600_000

export interface UserServiceDeps {
  repo: UserRepo
  passwords: PasswordHasher
  mailer: Mailer
  clock: Clock
  newId: (prefix: 'usr' | 'org') => string
  config: { registrationOpen: boolean; portalOrigin: string; orgLimits: Limits }
}

export interface Registration {
  email: string
  password: string
  first_name: string
  last_name: string
  org_name: string
}

/** What shows that whoever follows the link of a verification is who registered. */
export interface Proof {
  /** The user whose session the browser holds. */
  holderId: string | null
  password: string | undefined
}

export type UserService = ReturnType<typeof createUserService>

export function createUserService(deps: UserServiceDeps) {
  return { ...accountActs(deps), ...profileActs(deps) }
}

function accountActs(deps: UserServiceDeps) {
  const { repo, passwords, mailer, clock, config } = deps

  return {
    async register(input: Registration, caller: Caller): Promise<string> {
      if (!config.registrationOpen) throw new Failure('registration_closed')
      const email = requireEmail(input.email)
      requireGoodPassword(input.password, [
        email,
        input.first_name,
        input.last_name,
        input.org_name
      ])
      const passwordHash = await passwords.hash(input.password)
      const token = newToken()
      const user = newUser(deps, { ...input, email }, passwordHash)
      const outcome = await repo.createAccount({
        user,
        org: { id: deps.newId('org'), name: input.org_name, ...deps.config.orgLimits },
        token: emailToken(user, 'verify_email', token, user.createdAt),
        audit: actBy(user.id, caller, 'user.register', { targetId: user.id })
      })
      if (outcome === 'created') {
        mailer.post(() => verifyEmailLetter(email, config.portalOrigin, token))
      } else {
        const owner = await repo.findByEmail(email)
        if (owner !== null) {
          mailToken(deps, owner, 'reset_password', caller, accountExistsLetter)
        }
      }
      return email
    },

    /**
     * Throws `password_required` when nothing shows that it is who registered, and `credentials_invalid` for a wrong
     * password. The token still holds then.
     */
    async verifyEmail(token: string, proof: Proof, caller: Caller): Promise<UserRow> {
      const now = clock()
      const hash = hashToken(token)
      const user = await repo.findByToken(hash, 'verify_email', now)
      if (user === null) throw await refusedToken(deps, hash, caller)
      if (proof.holderId !== user.id) {
        if (proof.password === undefined) throw new Failure('password_required')
        const matches = await passwords.verify(user.passwordHash, proof.password)
        if (!matches) throw new Failure('credentials_invalid')
      }
      const audit = actBy(user.id, caller, 'user.verify_email', { targetId: user.id })
      const isVerified = await repo.verifyEmail(hash, user, audit, now)
      if (!isVerified) throw await refusedToken(deps, hash, caller)
      return { ...user, emailVerifiedAt: user.emailVerifiedAt ?? now }
    },

    async resendVerification(address: string, caller: Caller): Promise<void> {
      const user = await repo.findByEmail(requireEmail(address))
      if (user !== null && user.emailVerifiedAt === null) {
        mailToken(deps, user, 'verify_email', caller)
      }
    },

    async forgotPassword(address: string, caller: Caller): Promise<void> {
      const user = await repo.findByEmail(requireEmail(address))
      if (user !== null) mailToken(deps, user, 'reset_password', caller)
    },

    /** Whose password it is now. */
    async resetPassword(
      token: string,
      password: string,
      caller: Caller
    ): Promise<Pick<UserRow, 'id' | 'passwordHash'>> {
      const now = clock()
      const hash = hashToken(token)
      const user = await repo.findByToken(hash, 'reset_password', now)
      if (user === null) throw await refusedToken(deps, hash, caller)
      requireGoodPassword(password, [user.email, user.firstName, user.lastName])
      const passwordHash = await passwords.hash(password)
      const targetId = user.id
      const audits = {
        reset: actBy(user.id, caller, 'user.reset_password', { targetId }),
        proof: actBy(user.id, caller, 'user.verify_email', { targetId })
      }
      const isSet = await repo.resetPassword(hash, user, passwordHash, audits, now)
      if (!isSet) throw await refusedToken(deps, hash, caller)
      return { id: user.id, passwordHash }
    }
  }
}

/** The failure for a mailed token that does not hold; written down when it once did. */
async function refusedToken({ repo, clock }: UserServiceDeps, hash: Buffer, caller: Caller) {
  const token = await repo.findSpentToken(hash)
  if (token !== null) {
    const { userId, purpose } = token
    const target = { targetId: userId, detail: { purpose } }
    await repo.note(actBy(userId, caller, 'user.refuse_token', target), clock())
  }
  return new Failure('email_token_invalid')
}

function profileActs({ repo, clock }: UserServiceDeps) {
  async function loadProfile(actor: Actor): Promise<UserRow> {
    const user = await repo.load(actor.userId)
    if (user === null) throw new Failure('access_token_invalid')
    return user
  }

  return {
    /** Null for an address that no account has, and for a text that is no address. */
    async loadCredentials(address: string): Promise<{ id: string; passwordHash: string } | null> {
      const email = normaliseEmail(address)
      return email === null ? null : await repo.findByEmail(email)
    },

    loadProfile,

    async updateProfile(
      actor: Actor,
      change: { first_name?: string; last_name?: string }
    ): Promise<UserRow> {
      const { first_name: firstName, last_name: lastName } = change
      const audit = actOf(actor, 'user.update', { targetId: actor.userId })
      await repo.update(actor.userId, { firstName, lastName }, audit, clock())
      return await loadProfile(actor)
    }
  }
}

const requests = {
  verify_email: 'user.request_verification',
  reset_password: 'user.request_reset'
} as const

const letters = { verify_email: verifyEmailLetter, reset_password: resetPasswordLetter }

/**
 * In the background, so that the answer takes as long for an address that has no account. Nothing is sent to a user who
 * has been sent as many in the last hour as they may get.
 */
function mailToken(
  { repo, mailer, clock, config }: UserServiceDeps,
  user: UserRow,
  purpose: EmailTokenRow['purpose'],
  caller: Caller,
  letter: typeof verifyEmailLetter = letters[purpose]
): void {
  mailer.post(async () => {
    const token = newToken()
    const now = clock()
    const added = await repo.addEmailToken(
      emailToken(user, purpose, token, now),
      { since: new Date(now.getTime() - hourMs), max: mailsPerHourMax },
      actBy(user.id, caller, requests[purpose], { targetId: user.id })
    )
    return added ? letter(user.email, config.portalOrigin, token) : null
  })
}

function requireEmail(text: string): string {
  const email = normaliseEmail(text)
  if (email === null) {
    throw invalidFields([{ pointer: '#/email', detail: 'must be an email address' }])
  }
  return email
}

/** @param words what is known about who chooses it */
function requireGoodPassword(password: string, words: readonly string[]): void {
  const reason = whyGuessable(password, words)
  if (reason !== null) throw invalidFields([{ pointer: '#/password', detail: reason }])
}

function newUser(
  { clock, newId }: Pick<UserServiceDeps, 'clock' | 'newId'>,
  person: Pick<Registration, 'email' | 'first_name' | 'last_name'>,
  passwordHash: string
): UserRow {
  const now = clock()
  return {
    id: newId('usr'),
    email: person.email,
    passwordHash,
    firstName: person.first_name,
    lastName: person.last_name,
    isOperator: false,
    emailVerifiedAt: null,
    createdAt: now,
    updatedAt: now
  }
}

function emailToken(
  user: UserRow,
  purpose: EmailTokenRow['purpose'],
  token: string,
  now: Date
): EmailTokenRow {
  const lifeMs =
    purpose === 'verify_email' ? durations.verifyEmailToken : durations.resetPasswordToken
  return {
    hash: hashToken(token),
    userId: user.id,
    purpose,
    email: user.email,
    createdAt: now,
    expiresAt: new Date(now.getTime() + lifeMs)
  }
}
