// The URL of an upstream node. It usually carries a provider's key in its path or query, so it is sealed when it is
// stored, and only scheme and host are ever shown.

/** The URL in its normal form, or what is wrong with it. */
export function readUpstreamUrl(text: string): { url: string } | { problem: string } {
  const url = URL.parse(text)
  if (url === null) return { problem: 'must be a URL, e.g. https://node.example.com/key' }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return { problem: 'must begin with http:// or https://' }
  }
  if (url.username !== '' || url.password !== '') {
    return {
      problem:
        'must not hold a user name or password: use a node that takes its key in the path or query'
    }
  }
  if (url.hash !== '') return { problem: 'must not hold a fragment (#…): it is never sent' }
  return { url: url.href }
}

/** `https://node.example.com:8443` */
export function publicFormOfUrl(url: string): string {
  return new URL(url).origin
}
