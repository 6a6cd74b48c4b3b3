// The api key: its format, its checksum, and its hash, which is the definition of the column api_keys.hash.
//
//   slc_ + 32 random base62 characters (190 bits) + 6 base62 characters of the CRC32 of everything before them
//
// The checksum lets the gateway refuse a mistyped or invented key of our own format with no lookup at all, and lets
// secret scanners recognise a leaked one. Any other key of 8 to 128 characters `[A-Za-z0-9_-]` is an imported one.
import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const prefix = 'slc_'
const randomLength = 32
const checksumLength = 6
const importedPattern = /^[A-Za-z0-9_-]{8,128}$/
const ownPattern = /^slc_[0-9A-Za-z]{38}$/

/** A new secret. Shown once to its owner; stored only as a hash and, for reveal, sealed. */
export function newApiKey(): string {
  let body = prefix
  while (body.length < prefix.length + randomLength) {
    for (const byte of randomBytes(randomLength)) {
      // 248 is 4 × 62: bytes above it would make the first characters of the alphabet more likely.
      if (byte < 248 && body.length < prefix.length + randomLength) body += alphabet[byte % 62]
    }
  }
  return body + checksumOf(body)
}

/** Whether a lookup can find this key at all: `own` and `imported` may exist, `malformed` and `bad_checksum` cannot. */
export function classifyApiKey(secret: string): 'own' | 'imported' | 'malformed' | 'bad_checksum' {
  if (secret.startsWith(prefix)) {
    if (!ownPattern.test(secret)) return 'malformed'
    const body = secret.slice(0, -checksumLength)
    return secret.endsWith(checksumOf(body)) ? 'own' : 'bad_checksum'
  }
  return importedPattern.test(secret) ? 'imported' : 'malformed'
}

/** SHA-256 of the secret. A fast hash is enough: the secret itself is random, there is nothing to guess from a list. */
export function hashApiKey(secret: string): Buffer {
  return createHash('sha256').update(secret, 'latin1').digest()
}

/** What may be shown of a key: `{ prefix: 'slc_Ab3d', last4: 'x9Qz' }`. */
export function publicFormOf(secret: string): { prefix: string; last4: string } {
  const shown = secret.startsWith(prefix) ? prefix.length + 4 : 2
  return { prefix: secret.slice(0, shown), last4: secret.slice(-4) }
}

function checksumOf(body: string): string {
  let rest = crc32(body)
  let text = ''
  for (let place = 0; place < checksumLength; place++) {
    text = alphabet[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}
