// References within the values of Link (RFC 8288) and Refresh, given to the client in the form that they have at the
// gateway. What has none there is left out.

/** What a reference of the upstream is to the client; null where it must not be told. */
export type ReferenceFor = (reference: string) => string | null

/** `<reference>; parameter="value"` and the comma behind it, at `lastIndex`. No part can match in two ways: linear time. */
const linkPattern = /[\s,]*<([^>]*)>((?:[^,"]|"(?:[^"\\]|\\.)*")*)(?:,|$)/y

/** The links that may be told; null when there are none, or when the value is no list of links. */
export function referencesInLink(value: string, referenceFor: ReferenceFor): string | null {
  const links: string[] = []
  linkPattern.lastIndex = 0
  while (linkPattern.lastIndex < value.length) {
    const found = linkPattern.exec(value)
    if (found === null) return null
    const own = referenceFor(found[1] ?? '')
    if (own !== null) links.push(`<${own}>${(found[2] ?? '').trimEnd()}`)
  }
  return links.length === 0 ? null : links.join(', ')
}

const refreshPattern = /^[\d.]+\s*[;,]\s*url\s*=\s*/i

/** `5; url=reference`, the reference with or without quotes; a number alone is a page that loads itself again. */
export function referenceInRefresh(value: string, referenceFor: ReferenceFor): string | null {
  const found = refreshPattern.exec(value)?.[0]
  if (found === undefined) return /^[\d.]+$/.test(value) ? value : null
  const rest = value.slice(found.length)
  const [quote] = rest
  const isQuoted = (quote === '"' || quote === "'") && rest.length > 1 && rest.endsWith(quote)
  const own = referenceFor(isQuoted ? rest.slice(1, -1) : rest)
  return own === null ? null : found + own
}
