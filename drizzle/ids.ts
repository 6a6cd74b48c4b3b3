// Public ids: a prefix that names the kind, then 26 characters of a ULID in lower case (48 bits of time, 80 random
// bits, Crockford base32). Opaque to the outside; inside, ids of one kind sort by age, so that a primary key is also
// the order of a list and new rows go to the end of the index.
import { randomBytes } from 'node:crypto'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

export type IdPrefix =
  | 'usr'
  | 'org'
  | 'ep'
  | 'key'
  | 'chn'
  | 'ups'
  | 'ses'
  | 'aud'
  | 'boot'
  | 'err'
  | 'inv'
  | 'tok'

/** A new id such as `key_01jd5z3k8m2v7q9x4w6t0n1b5c`. */
export function newId(prefix: IdPrefix, nowMs = Date.now()): string {
  let text = `${prefix}_`
  for (let shift = 45; shift >= 0; shift -= 5) text += alphabet[Math.floor(nowMs / 2 ** shift) % 32]
  for (const byte of randomBytes(16)) text += alphabet[byte % 32]
  return text
}

/** The pattern of ids of one kind, for schemas. */
export function idPattern(prefix: IdPrefix): string {
  return `^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`
}
