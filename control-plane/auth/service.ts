// Sessions: one login on one device. Its refresh token is used once and replaced by a successor that is derived from it
// and a secret of ours, so that two tabs which refresh at the same moment get the same one. Whoever presents a used token
// later than the grace allows holds a copy: then nobody can tell thief from owner, and the whole family ends.
import { type AuditEntry, actBy } from '../audit/audit-entry.ts'
import type { Clock } from '../clock.ts'
import { durations } from '../config.ts'
import { Failure } from '../errors.ts'
import type { Actor, Caller } from '../http/app-type.ts'
import type { UserService } from '../users/service.ts'
import type { AccessClaims, ShownClaims } from './access-token.ts'
import { type DeviceOwner, newDeviceToken, readDeviceToken } from './device-token.ts'
import { hashToken, newToken, successorOf } from './opaque-token.ts'
import type { PasswordHasher } from './password-hasher.ts'
import type { AuthRepo, SessionRow } from './repo.ts'
import type { Attempt, SignInGuard } from './sign-in-guard.ts'

export interface AuthServiceDeps {
  repo: AuthRepo
  users: Pick<UserService, 'loadCredentials'>
  passwords: PasswordHasher
  guard: SignInGuard
  clock: Clock
  newId: (prefix: 'ses') => string
  /** The secrets that refresh tokens are derived with, the newest first. */
  config: { jwtSecrets: readonly string[] }
}

export interface OpenSession extends AccessClaims {
  refreshToken: string
}

/** What somebody signs in with. `deviceToken` is that of their browser, if it has one. */
export interface Credentials {
  email: string
  password: string
  deviceToken: string | undefined
}

export type AuthService = ReturnType<typeof createAuthService>

export function createAuthService(deps: AuthServiceDeps) {
  return { ...signIn(deps), ...sessionActs(deps) }
}

function signIn({ repo, users, passwords, guard, clock, newId, config }: AuthServiceDeps) {
  const newest = config.jwtSecrets[0] ?? ''

  /** Whatever goes wrong on our side is no guess. */
  async function isRight(hash: string | null, password: string, attempt: Attempt) {
    try {
      return await passwords.verify(hash, password)
    } catch (error) {
      await attempt.giveBack()
      throw error
    }
  }

  return {
    /**
     * Throws `credentials_invalid`, with the same work done, for a wrong password and for an unknown address; beyond what
     * may be tried, `rate_limited` or `sign_in_guarded`.
     */
    async login(
      { email, password, deviceToken = '' }: Credentials,
      caller: Caller
    ): Promise<OpenSession & { deviceToken: string }> {
      const user = await users.loadCredentials(email)
      const now = clock()
      const device =
        user === null ? null : readDeviceToken(deviceToken, user, config.jwtSecrets, now)
      const knock = { userId: user?.id ?? null, email, addressBlock: caller.addressBlock, device }
      const attempt = await guard.enter(knock, now)
      const isKnownDevice = device !== null
      if ((await isRight(user?.passwordHash ?? null, password, attempt)) && user !== null) {
        const session = { id: newId('ses'), userId: user.id, ...openingOf(caller, now) }
        const refreshToken = newToken()
        const isCreated = await repo.createSession(
          session,
          user.passwordHash,
          { hash: hashToken(refreshToken), expiresAt: refreshExpiry(now) },
          actBy(user.id, caller, 'session.create', {
            targetId: session.id,
            detail: { known_device: isKnownDevice }
          })
        )
        if (isCreated) {
          await attempt.succeed()
          return {
            userId: user.id,
            sessionId: session.id,
            refreshToken,
            deviceToken: newDeviceToken(user, newest, now)
          }
        }
      }
      const detail = {
        known_device: isKnownDevice,
        ...(attempt.fills === null ? {} : { limit_reached: attempt.fills }),
        // Not what was typed: people type their password there.
        ...(user === null ? { unknown_account: guard.fingerprint(email) } : {})
      }
      const userId = user?.id ?? null
      await repo.note(actBy(userId, caller, 'session.refuse', { targetId: userId, detail }), now)
      throw new Failure('credentials_invalid')
    },

    /** For the browser in which somebody proved in another way whose account it is. */
    knowDevice: (owner: DeviceOwner): string => newDeviceToken(owner, newest, clock())
  }
}

function sessionActs({ repo, clock, config }: AuthServiceDeps) {
  return {
    /** Whose session a refresh token belongs to that could be refreshed with it; null for none. Nothing is spent. */
    async findHolder(token: string): Promise<string | null> {
      const now = clock()
      const spentSince = new Date(now.getTime() - durations.refreshGrace)
      const session = await repo.findRefreshable(hashToken(token), now, spentSince)
      return session?.userId ?? null
    },

    async refresh(token: string, caller: Caller): Promise<OpenSession> {
      const now = clock()
      const candidates = config.jwtSecrets.map((secret) => successorOf(token, secret))
      const [newest = ''] = candidates
      const successor = { hash: hashToken(newest), expiresAt: refreshExpiry(now) }
      const spent = await repo.spend(hashToken(token), successor, now)
      if (spent.outcome === 'spent') return openSession(spent.session, newest)
      if (spent.outcome !== 'used_before') throw new Failure('refresh_token_invalid')
      if (now.getTime() - spent.usedAt.getTime() <= durations.refreshGrace) {
        const issued = await findIssued(candidates)
        if (issued !== null) return openSession(spent.session, issued)
      }
      await repo.endSession(
        spent.session.id,
        endOf(spent.session, caller, 'session.reuse_detected'),
        now
      )
      throw new Failure('refresh_token_invalid')
    },

    /** A token that names no session is no failure: the session has ended either way. */
    async logout(token: string, caller: Caller): Promise<void> {
      const session = await repo.findSession(hashToken(token))
      if (session === null || session.revokedAt !== null) return
      await repo.endSession(session.id, endOf(session, caller, 'session.end'), clock())
    },

    /** Null when the session has ended or its user is gone. */
    async loadActor(claims: ShownClaims, caller: Caller): Promise<Actor | null> {
      const user = await repo.loadUser(claims.userId, claims.sessionId, clock())
      if (user === null) return null
      return {
        ...caller,
        ...claims,
        isOperator: user.isOperator,
        isEmailVerified: user.emailVerifiedAt !== null
      }
    },

    /** Of these sessions those that have not ended, with the rights that their users have now. */
    async loadRights(sessionIds: readonly string[]): Promise<Map<string, { isOperator: boolean }>> {
      const live = await repo.listLive(sessionIds, clock())
      return new Map(live.map(({ id, isOperator }) => [id, { isOperator }]))
    }
  }

  /** The successor that was issued; it was derived with an older secret when the secrets changed in between. */
  async function findIssued(candidates: readonly string[]): Promise<string | null> {
    const issued = await repo.loadIssued(candidates.map(hashToken))
    return candidates.find((token) => issued.some((hash) => hash.equals(hashToken(token)))) ?? null
  }
}

function openSession(session: SessionRow, refreshToken: string): OpenSession {
  return { userId: session.userId, sessionId: session.id, refreshToken }
}

function openingOf(caller: Caller, now: Date) {
  return {
    userAgent: caller.userAgent,
    ip: caller.ip,
    createdAt: now,
    expiresAt: new Date(now.getTime() + durations.session)
  }
}

function refreshExpiry(now: Date): Date {
  return new Date(now.getTime() + durations.refreshToken)
}

function endOf(
  session: SessionRow,
  caller: Caller,
  action: 'session.end' | 'session.reuse_detected'
): AuditEntry {
  return actBy(session.userId, caller, action, { targetId: session.id })
}
