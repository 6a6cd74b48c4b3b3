// What the URL of an upstream says: where to connect, how a client's target joins the operator's path and query, and with
// which credentials. The URL usually holds a provider's key, so it stays inside this file: what leaves it goes to the
// upstream alone, and what the upstream sends back can be asked here whether it tells the client any of it.
//
// The path stays as the operator wrote it, slash at its end included: some nodes answer 404 or a redirect to any other.

/** A shorter part of a path or query is a word (`v2`, `rpc`), not a key. Characters. */
const secretLengthMin = 8
/** Passwords that people choose are shorter than keys. Characters. */
const passwordLengthMin = 4

export class UpstreamAddress {
  /** `https://node.example:8443` */
  readonly origin: string
  readonly isTls: boolean
  /** The value of Authorization (RFC 7617, in UTF-8); null without credentials. */
  readonly authorization: string | null
  readonly #hostname: string
  readonly #pathname: string
  /** Without a slash at its end; '' for the root. */
  readonly #basePath: string
  /** Without its `?`. */
  readonly #query: string
  readonly #secrets: readonly string[]

  /** Throws when the URL cannot be used; the error does not repeat it. */
  constructor(text: string) {
    // Not by new URL alone: its error carries the URL, and errors are logged.
    if (!URL.canParse(text)) throw new Error('the URL of the upstream is not valid')
    const url = new URL(text)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new Error('an upstream is http or https')
    }
    this.origin = url.origin
    this.isTls = url.protocol === 'https:'
    this.authorization = authorizationOf(url)
    this.#hostname = url.hostname
    this.#pathname = url.pathname
    this.#basePath = url.pathname.replace(/\/$/, '')
    this.#query = url.search.slice(1)
    this.#secrets = secretsOf(url, this.authorization)
  }

  /** @param target `/path?query` of the client's request; `/` and `/?query` name no path of their own. */
  targetOf(target: string): string {
    const hasOwnPath = target.length > 1 && target[1] !== '?'
    const path = hasOwnPath ? this.#basePath + target : this.#pathname + target.slice(1)
    if (this.#query === '') return path
    return `${path}${path.includes('?') ? '&' : '?'}${this.#query}`
  }

  /** Whether a text holds a secret of the URL: its path, a key in path or query, or the credentials. */
  tellsSecret(text: string): boolean {
    const { length } = this.#secrets
    for (let place = 0; place < length; place++) {
      if (text.includes(this.#secrets[place] as string)) return true
    }
    return false
  }

  /**
   * What a reference in an answer (Location, Link) is to the client: the endpoint's own path for what is below the
   * upstream's URL, unchanged for what is elsewhere and says nothing of the upstream, null for the rest.
   * @param target the client's, which the reference may be relative to. @param prefix of the client's own path: `/api=<key>`.
   */
  referenceFor(reference: string, target: string, prefix: string): string | null {
    const requested = this.origin + this.targetOf(target)
    if (!URL.canParse(reference, requested)) return null
    const url = new URL(reference, requested)
    if (url.origin !== this.origin) {
      const isElsewhere = url.hostname !== this.#hostname && !this.tells(reference)
      return isElsewhere ? reference : null
    }
    const rest = this.#below(url.pathname)
    if (rest === null) return null
    const own = rest + this.#ownQuery(url.search.slice(1)) + url.hash
    return this.tells(own) ? null : prefix + own
  }

  /** The path below the upstream's own, from its slash on; null when it is not below. */
  #below(pathname: string): string | null {
    if (pathname === this.#pathname || pathname === this.#basePath) return '/'
    return pathname.startsWith(`${this.#basePath}/`) ? pathname.slice(this.#basePath.length) : null
  }

  /** The query without what the operator's URL adds to it. */
  #ownQuery(query: string): string {
    const added = this.#query.split('&')
    const own = query.split('&').filter((part) => part !== '' && !added.includes(part))
    return own.length === 0 ? '' : `?${own.join('&')}`
  }

  /** Whether a text tells of the upstream: its host, or a secret. A host name without a dot is a word of any text. */
  tells(text: string): boolean {
    const namesHost = this.#hostname.includes('.') && text.includes(this.#hostname)
    return namesHost || this.tellsSecret(text)
  }
}

function authorizationOf({ username, password }: URL): string | null {
  if (username === '' && password === '') return null
  const name = decoded(username)
  const word = decoded(password)
  if (name === null || word === null || name.includes(':')) {
    throw new Error('the credentials in the URL of the upstream are not valid')
  }
  return `Basic ${Buffer.from(`${name}:${word}`).toString('base64')}`
}

/** Null when it is no percent-encoded UTF-8. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** Each as it is in the URL and, where that differs, decoded: a node may write it either way. */
function secretsOf(url: URL, authorization: string | null): string[] {
  const values = url.search.slice(1).split('&')
  const parts = [url.pathname, ...url.pathname.split('/'), ...values.map(parameterValue)]
  const secrets = new Set<string>()
  const add = (part: string, lengthMin: number) => {
    for (const form of [part, decoded(part) ?? part]) {
      if (form.length >= lengthMin) secrets.add(form)
    }
  }
  for (const part of parts) add(part, secretLengthMin)
  add(url.username, secretLengthMin)
  add(url.password, passwordLengthMin)
  if (authorization !== null) add(authorization.slice('Basic '.length), passwordLengthMin)
  return [...secrets]
}

/** Of `name=value`; all of it where there is no name. */
const parameterValue = (parameter: string): string => parameter.slice(parameter.indexOf('=') + 1)
