// The URL of an upstream node. It usually carries a provider's key in its path or query, or credentials before its host, so
// it is sealed when it is stored, and only scheme and host are ever shown.

/** What the sealed column holds without the seal, rounded down. Bytes of the URL in its normal form. */
const urlBytesMax = 4000

/** The URL in its normal form, or what is wrong with it. */
export function readUpstreamUrl(text: string): { url: string } | { problem: string } {
  const url = URL.parse(text)
  if (url === null) return { problem: 'must be a URL, e.g. https://node.example.com/key' }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return { problem: 'must begin with http:// or https://' }
  }
  if (!hasUsableCredentials(url)) {
    return {
      problem:
        'must hold a user name and password in percent-encoded UTF-8, without control characters and without a colon in the user name'
    }
  }
  if (url.hash !== '') return { problem: 'must not hold a fragment (#…): it is never sent' }
  // Not as it was given: a character beyond ASCII becomes up to twelve.
  if (url.href.length > urlBytesMax) {
    return { problem: `must not be longer than ${urlBytesMax} characters when percent-encoded` }
  }
  return { url: url.href }
}

/** `https://node.example.com:8443` */
export function publicFormOfUrl(url: string): string {
  return new URL(url).origin
}

/** Whether they can be sent as RFC 7617 says. */
function hasUsableCredentials({ username, password }: URL): boolean {
  try {
    const name = decodeURIComponent(username)
    const word = decodeURIComponent(password)
    return !name.includes(':') && !hasControlCharacter(name + word)
  } catch {
    return false
  }
}

const hasControlCharacter = (text: string): boolean => /\p{Cc}/u.test(text)
