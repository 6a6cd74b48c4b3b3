// What must be stored and read again (upstream URLs, revealable api keys) is sealed with AES-256-GCM.
//
//   version (1 byte, = 1) · key fingerprint (4) · nonce (12) · tag (16) · ciphertext
//
// Each seal is bound to a context (the id of the row that holds it), so a box copied to another row does not open.
// Several keys may be configured, newest first: the first seals, all of them open, which is how a key is replaced.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

const headerBytes = 1 + 4 + 12 + 16

export interface SecretBox {
  seal(plain: string, context: string): Buffer
  /** Throws when the box was sealed with a key that is not configured, for another context, or was changed. */
  open(box: Buffer, context: string): string
}

/**
 * @param keys one or more keys of 32 bytes, base64, newest first (`SECRET_KEY`, comma-separated).
 * Throws on a key of another length.
 */
export function createSecretBox(keys: readonly string[]): SecretBox {
  const ring = keys.map(decodeKey)
  const sealing = ring[0]
  if (sealing === undefined) throw new Error('a secret box needs at least one key')

  return {
    seal(plain, context) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', sealing.key, nonce).setAAD(Buffer.from(context))
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return Buffer.concat([
        Buffer.from([1]),
        sealing.fingerprint,
        nonce,
        cipher.getAuthTag(),
        text
      ])
    },
    open(box, context) {
      if (box.length < headerBytes || box[0] !== 1) throw new Error('not a sealed value')
      const fingerprint = box.subarray(1, 5)
      const entry = ring.find((candidate) => candidate.fingerprint.equals(fingerprint))
      if (entry === undefined) {
        throw new Error(
          'sealed with a key that is not in SECRET_KEY: add the older key behind the newer one'
        )
      }
      const decipher = createDecipheriv('aes-256-gcm', entry.key, box.subarray(5, 17))
      decipher.setAAD(Buffer.from(context)).setAuthTag(box.subarray(17, 33))
      return Buffer.concat([decipher.update(box.subarray(33)), decipher.final()]).toString('utf8')
    }
  }
}

function decodeKey(text: string): { key: Buffer; fingerprint: Buffer } {
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) {
    throw new Error('SECRET_KEY must be 32 bytes in base64 (openssl rand -base64 32)')
  }
  return { key, fingerprint: createHash('sha256').update(key).digest().subarray(0, 4) }
}
