// Email addresses as they are stored and compared: trimmed, in Unicode NFC, in lower case. The column compares byte by
// byte, so the same address always has the same bytes.

// No white space, control characters or the delimiters of a mail header: an address can never become a second header.
const pattern = /^[^\s\p{C}@<>()[\]\\,;:"]+@[^\s\p{C}@<>()[\]\\,;:"]+$/u

/** Null when it cannot be an address. */
export function normaliseEmail(text: string): string | null {
  const address = text.trim().normalize('NFC').toLowerCase()
  return pattern.test(address) && [...address].length <= 254 ? address : null
}
