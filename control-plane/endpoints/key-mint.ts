// Where secrets of api keys come from, and the only place that opens them again. With reveal switched off the secret is
// never stored, so that nobody, with any access, can show it later.
import { hashApiKey, newApiKey, publicFormOf } from '../../drizzle/api-key.ts'
import { newId } from '../../drizzle/ids.ts'
import type { SecretBox } from '../../drizzle/secret-box.ts'
import type { ApiKeyRow } from './repo.ts'

export interface MintedKey {
  /** Shown to its owner now; afterwards only its hash and, for reveal, a sealed copy are left. */
  secret: string
  row: Omit<ApiKeyRow, 'endpointId'>
}

export interface KeyMint {
  mint(now: Date): MintedKey
  /** Null when the secret was never stored. */
  open(key: Pick<ApiKeyRow, 'id' | 'secret'>): string | null
}

export function createKeyMint(deps: { secretBox: SecretBox; storesSecrets: boolean }): KeyMint {
  return {
    mint(now) {
      const secret = newApiKey()
      const id = newId('key', now.getTime())
      const row = {
        id,
        hash: hashApiKey(secret),
        ...publicFormOf(secret),
        secret: deps.storesSecrets ? deps.secretBox.seal(secret, id) : null,
        createdAt: now,
        expiresAt: null,
        revokedAt: null,
        lastUsedAt: null
      }
      return { secret, row }
    },
    open: ({ id, secret }) => (secret === null ? null : deps.secretBox.open(secret, id))
  }
}
