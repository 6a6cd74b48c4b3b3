// Where a JSON value ends, found without building it. What has an end here is exactly what JSON.parse takes, given that
// the bytes are UTF-8, which is for the caller to check once (node:buffer isUtf8). Each byte is looked at once. Nothing
// recurses: what an open bracket was is one bit, so a body of 20 MB of `[` costs 2.5 MB and no call stack.
//
// Every function takes the offset to begin at and returns the offset just behind, or -1 for "this is not JSON". Given -1
// they return -1, so that a caller can look once at the end of a chain of them.

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * The byte at an offset, and 0, which is not JSON anywhere, where there is none (`>>> 0` makes a negative offset a huge
 * one). Reading outside of an array gives a mere undefined, but code that V8 has once seen do that is slower for good:
 * one malformed body then made every later scan take 1.8 times as long (bench/stages/scan starts with such bodies).
 */
export function byteAt(body: Uint8Array, at: number): number {
  return at >>> 0 < body.length ? (body[at] as number) : 0
}

/** The first offset from `at` on that is not white space: the body's length when there is none. */
export function skipSpace(body: Uint8Array, at: number): number {
  let next = at
  while (isSpace(byteAt(body, next))) next++
  return next
}

function isSpace(byte: number): boolean {
  return byte <= 0x20 && (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)
}

/** Behind any value that begins at `at`. */
export function endOfValue(body: Uint8Array, at: number): number {
  const first = byteAt(body, at)
  return first === openBrace || first === openBracket
    ? endOfContainer(body, at)
    : endOfScalar(body, at)
}

/** Behind the closing quote of the string that begins at `at`. */
export function endOfString(body: Uint8Array, at: number): number {
  if (byteAt(body, at) !== quote) return -1
  let next = at + 1
  while (next < body.length) {
    const byte = body[next] as number
    if (byte === quote) return next + 1
    if (byte < 0x20) return -1
    next = byte === backslash ? endOfEscape(body, next) : next + 1
    if (next < 0) return -1
  }
  return -1
}

/** Where the value of a member begins, given where its name ends. */
export function startOfMemberValue(body: Uint8Array, nameEnd: number): number {
  const at = skipSpace(body, nameEnd)
  return byteAt(body, at) === colon ? skipSpace(body, at + 1) : -1
}

function endOfEscape(body: Uint8Array, at: number): number {
  switch (byteAt(body, at + 1)) {
    case quote:
    case backslash:
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2
    case 0x75: // u
      for (let place = 2; place < 6; place++) if (!isHexDigit(byteAt(body, at + place))) return -1
      return at + 6
    default:
      return -1
  }
}

function isHexDigit(byte: number): boolean {
  const lowerCase = byte | 0x20
  return isDigit(byte) || (lowerCase >= 0x61 && lowerCase <= 0x66)
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function endOfScalar(body: Uint8Array, at: number): number {
  switch (byteAt(body, at)) {
    case quote:
      return endOfString(body, at)
    case 0x74: // t
      return endOfWord(body, at, literals.true)
    case 0x66: // f
      return endOfWord(body, at, literals.false)
    case 0x6e: // n
      return endOfWord(body, at, literals.null)
    default:
      return endOfNumber(body, at)
  }
}

const literals = {
  true: Buffer.from('true'),
  false: Buffer.from('false'),
  null: Buffer.from('null')
}

function endOfWord(body: Uint8Array, at: number, word: Uint8Array): number {
  for (let place = 1; place < word.length; place++)
    if (byteAt(body, at + place) !== word[place]) return -1
  return at + word.length
}

/** RFC 8259 section 6: no leading zero, no leading plus, a digit on both sides of the point. */
function endOfNumber(body: Uint8Array, at: number): number {
  const integer = byteAt(body, at) === 0x2d /* - */ ? at + 1 : at
  let next = byteAt(body, integer) === 0x30 ? integer + 1 : endOfDigits(body, integer)
  if (next > 0 && byteAt(body, next) === 0x2e /* . */) next = endOfDigits(body, next + 1)
  if (next > 0 && (byteAt(body, next) | 0x20) === 0x65 /* e */) {
    const sign = byteAt(body, next + 1)
    next = endOfDigits(body, sign === 0x2b || sign === 0x2d ? next + 2 : next + 1)
  }
  return next
}

/** Behind one or more digits. */
function endOfDigits(body: Uint8Array, at: number): number {
  let next = at
  while (isDigit(byteAt(body, next))) next++
  return next === at ? -1 : next
}

// The containers that are open, one bit each: 1 for an object, 0 for an array. A scan never yields, so one stack serves
// every scan of a thread, and the usual body allocates nothing.
const usualNestingBytes = 512
let nesting = new Uint8Array(usualNestingBytes)
let depth = 0

function endOfContainer(body: Uint8Array, start: number): number {
  depth = 0
  let at = start
  do {
    const first = byteAt(body, at)
    at =
      first === openBrace || first === openBracket
        ? enterContainer(body, at)
        : leaveValue(body, endOfScalar(body, at))
  } while (depth > 0 && at >= 0)
  if (nesting.length > usualNestingBytes) nesting = new Uint8Array(usualNestingBytes)
  return at
}

/** Where the first value of the container at `at` begins; when it is empty, the same as `leaveValue`. */
function enterContainer(body: Uint8Array, at: number): number {
  const isObject = byteAt(body, at) === openBrace
  const inner = skipSpace(body, at + 1)
  if (byteAt(body, inner) === (isObject ? closeBrace : closeBracket))
    return leaveValue(body, inner + 1)
  open(isObject)
  return startOfItem(body, inner, isObject)
}

/** Closes every container that ends with the value that ended at `end`. Where the next value begins, or where all ends. */
function leaveValue(body: Uint8Array, end: number): number {
  let at = end
  while (depth > 0) {
    const isObject = isObjectOpen()
    const separator = skipSpace(body, at)
    const byte = byteAt(body, separator)
    if (byte === comma) return startOfItem(body, skipSpace(body, separator + 1), isObject)
    if (byte !== (isObject ? closeBrace : closeBracket)) return -1
    depth--
    at = separator + 1
  }
  return at
}

/** Where the value of an item begins: in an object that is behind its name. */
function startOfItem(body: Uint8Array, at: number, isObject: boolean): number {
  return isObject ? startOfMemberValue(body, endOfString(body, at)) : at
}

function open(isObject: boolean): void {
  const place = depth >> 3
  if (place === nesting.length) {
    const larger = new Uint8Array(2 * nesting.length)
    larger.set(nesting)
    nesting = larger
  }
  const bit = 1 << (depth & 7)
  const byte = nesting[place] as number
  nesting[place] = isObject ? byte | bit : byte & ~bit
  depth++
}

function isObjectOpen(): boolean {
  const top = depth - 1
  return ((nesting[top >> 3] as number) & (1 << (top & 7))) !== 0
}
