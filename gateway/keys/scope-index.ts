// Which cached secrets belong to a scope (an endpoint or an org), because changes name scopes. Most endpoints have one key,
// and a Set for each of them would be a tenth of what a cached key takes.

export class ScopeIndex {
  readonly #secrets = new Map<string, string | Set<string>>()

  add(scopeId: string, secret: string): void {
    const known = this.#secrets.get(scopeId)
    if (known === undefined) this.#secrets.set(scopeId, secret)
    else if (typeof known !== 'string') known.add(secret)
    else if (known !== secret) this.#secrets.set(scopeId, new Set([known, secret]))
  }

  remove(scopeId: string, secret: string): void {
    const known = this.#secrets.get(scopeId)
    if (known === secret) this.#secrets.delete(scopeId)
    if (known === undefined || typeof known === 'string') return
    known.delete(secret)
    if (known.size === 0) this.#secrets.delete(scopeId)
  }

  clear(): void {
    this.#secrets.clear()
  }

  /** A copy: what is done with each secret may change the index. */
  secretsOf(scopeId: string): string[] {
    const known = this.#secrets.get(scopeId) ?? []
    return typeof known === 'string' ? [known] : [...known]
  }

  /** Any one of them. */
  secretOf(scopeId: string): string | undefined {
    const known = this.#secrets.get(scopeId)
    return typeof known === 'object' ? known.values().next().value : known
  }
}
