// The device cookie (OWASP: "Slow down online guessing attacks with device cookies"): proof that somebody signed in to
// this very account from this browser before. Its holder is counted alone, so nobody else's failures reach them. It is no
// secret that opens anything, holds for one password only, and needs no row in the database.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { durations } from '../config.ts'

/** Whom a device token is for. Another password is another account to it. */
export interface DeviceOwner {
  id: string
  passwordHash: string
}

/** `<seconds>.<nonce>.<signature>` */
export function newDeviceToken(owner: DeviceOwner, secret: string, now: Date): string {
  const body = `${Math.floor(now.getTime() / 1000)}.${randomBytes(12).toString('base64url')}`
  return `${body}.${signatureOf(body, owner, secret).toString('base64url')}`
}

/** What tells the device apart from others; null when the token is not one of this account, or too old. */
export function readDeviceToken(
  token: string,
  owner: DeviceOwner,
  secrets: readonly string[],
  now: Date
): string | null {
  const [body, seconds, nonce, signature] =
    /^((\d{1,12})\.([\w-]{16}))\.([\w-]{43})$/.exec(token)?.slice(1) ?? []
  if (body === undefined || nonce === undefined || signature === undefined) return null
  if (Number(seconds) * 1000 + durations.deviceToken <= now.getTime()) return null
  const given = Buffer.from(signature, 'base64url')
  const isOurs = secrets.some((secret) => timingSafeEqual(signatureOf(body, owner, secret), given))
  return isOurs ? nonce : null
}

function signatureOf(body: string, { id, passwordHash }: DeviceOwner, secret: string): Buffer {
  return createHmac('sha256', secret).update(`sluice device ${id} ${passwordHash} ${body}`).digest()
}
