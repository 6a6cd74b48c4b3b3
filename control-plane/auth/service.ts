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
import { hashToken, newToken, successorOf } from './opaque-token.ts'
import type { PasswordHasher } from './password-hasher.ts'
import type { AuthRepo, SessionRow } from './repo.ts'

export interface AuthServiceDeps {
  repo: AuthRepo
  users: Pick<UserService, 'loadCredentials'>
  passwords: PasswordHasher
  clock: Clock
  newId: (prefix: 'ses') => string
  /** The secrets that refresh tokens are derived with, the newest first. */
  config: { jwtSecrets: readonly string[] }
}

export interface OpenSession extends AccessClaims {
  refreshToken: string
}

export type AuthService = ReturnType<typeof createAuthService>

export function createAuthService(deps: AuthServiceDeps) {
  const { repo, users, passwords, clock, newId, config } = deps

  return {
    /** Throws `credentials_invalid`, with the same work done, for a wrong password and for an unknown address. */
    async login(email: string, password: string, caller: Caller): Promise<OpenSession> {
      const user = await users.loadCredentials(email)
      const matches = await passwords.verify(user?.passwordHash ?? null, password)
      if (user === null || !matches) throw new Failure('credentials_invalid')
      const now = clock()
      const session = { id: newId('ses'), userId: user.id, ...openingOf(caller, now) }
      const refreshToken = newToken()
      await repo.createSession(
        session,
        { hash: hashToken(refreshToken), expiresAt: refreshExpiry(now) },
        actBy(user.id, caller, 'session.create', { targetId: session.id })
      )
      return { userId: user.id, sessionId: session.id, refreshToken }
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
