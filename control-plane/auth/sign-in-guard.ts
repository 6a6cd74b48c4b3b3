// How guessing a password is bounded without giving strangers a way to lock somebody out. Only failures count. Each is
// counted for the account and the block of addresses that it came from, and for the account in all; who brings the device
// cookie of an earlier sign-in is counted alone. When the account's own count is full, it takes no more sign-ins from
// browsers that are not known: those that are go on, and a new password by mail opens it. An address without an account
// is counted in the same way, so the answers tell nothing. docs/decisions/guessing.md has the reasons.
import { createHash, createHmac } from 'node:crypto'
import { guessing } from '../config.ts'
import { Failure } from '../errors.ts'
import { normaliseEmail } from '../users/email-address.ts'
import { type Allowance, type AttemptCounts, accountCountId } from './attempt-counts.ts'

/** Who wants to sign in, as far as it is known before the password is looked at. */
export interface Knock {
  /** Null when no account has the address. */
  userId: string | null
  email: string
  addressBlock: string
  /** What tells a known device apart from others; null for one that is not known. */
  device: string | null
}

export interface Attempt {
  /** The attempt counts as a failure as it is; each of these ends that in another way. */
  giveBack(): Promise<void>
  succeed(): Promise<void>
  /** Which count is full when this one fails. */
  fills: 'address' | 'device' | 'account' | null
}

export type SignInGuard = ReturnType<typeof createSignInGuard>

export function createSignInGuard(deps: { counts: AttemptCounts; secret: string }) {
  const { counts, secret } = deps

  /** Names an address that has no account, without telling it: what somebody typed may be their password. */
  function strangerOf(email: string): string {
    const known = normaliseEmail(email) ?? email
    return createHmac('sha256', secret).update(`sluice account ${known}`).digest('hex')
  }

  function allowancesOf({ userId, email, addressBlock, device }: Knock): Allowance[] {
    const account = userId ?? strangerOf(email)
    if (device !== null) return [fromOnePlace(`${account} device ${device}`)]
    const inAll = { max: guessing.inARowMax, lifeMs: guessing.inARowLifeMs, isRenewed: true }
    return [
      fromOnePlace(`${account} address ${addressBlock}`),
      { id: accountCountId(account), ...inAll }
    ]
  }

  return {
    /** A short name for an address without an account: attempts on the same one can be told to belong together. */
    fingerprint: (email: string) => strangerOf(email).slice(0, 12),

    /** Throws `rate_limited` or `sign_in_guarded` when no more may be tried. */
    async enter(knock: Knock, now: Date): Promise<Attempt> {
      const allowances = allowancesOf(knock)
      const taken = await counts.take(allowances, now)
      if (taken.outcome === 'full') throw refusal(taken, now)
      const full = allowances.findIndex(({ max }, place) => taken.counts[place] === max)
      return {
        giveBack: async () => await counts.giveBack(allowances),
        succeed: async () => await counts.clear(allowances),
        fills:
          full === -1 ? null : full === 1 ? 'account' : knock.device === null ? 'address' : 'device'
      }
    }
  }
}

function fromOnePlace(place: string): Allowance {
  const id = createHash('sha256').update(`sign-in ${place}`).digest()
  return { id, max: guessing.perPlaceMax, lifeMs: guessing.perPlaceWindowMs, isRenewed: false }
}

function refusal({ allowance, until }: { allowance: Allowance; until: Date }, now: Date): Failure {
  if (allowance.isRenewed) return new Failure('sign_in_guarded')
  const seconds = Math.ceil((until.getTime() - now.getTime()) / 1000)
  return new Failure('rate_limited', {
    detail: 'Too many sign-ins to this account have failed from here.',
    retryAfterSeconds: Math.max(1, seconds)
  })
}
