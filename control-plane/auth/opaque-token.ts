// Opaque tokens (refresh tokens, and those that are mailed): 256 random bits, of which the database keeps only a hash.
import { createHash, createHmac, randomBytes } from 'node:crypto'

export function newToken(): string {
  return randomBytes(32).toString('base64url')
}

/** A fast hash is enough: there is nothing to guess in 256 random bits. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** The token that follows another. Who has the token but not the server's secret cannot tell it. */
export function successorOf(token: string, secret: string): string {
  return createHmac('sha256', secret).update(`sluice refresh ${token}`).digest('base64url')
}
