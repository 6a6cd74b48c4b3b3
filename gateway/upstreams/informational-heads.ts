// Informational heads (1xx) in front of an answer. None was asked for, and a client has to be able to skip them (RFC 9110,
// section 15.2); undici skips all but `100 Continue`, for which it gives up the connection as if that had been idle. So all
// of them end here, and undici's parser gets nothing but final heads. A head may be cut at any byte: what cannot be told
// yet is held. What is no HTTP/1 status line, a 101 (nobody asked to change the protocol) and an endless row of heads
// are errors.
import type { Socket } from 'node:net'
import { errors } from 'undici'

/** Of all informational heads in front of one answer, and of stray line breaks; as much as undici takes of one head. Bytes. */
const headBytesMax = 32_768
const statusOffset = 'HTTP/1.1 '.length
/** Up to the character behind the status, which settles what a head is. */
const decidedBytes = 'HTTP/1.1 100 '.length
const statusLine = /^HTTP\/1\.[01] [1-9][0-9]{2}[ \r]$/
const anyStatusLine = 'HTTP/1.1 200 '
/** Lines that end with CR LF and nothing else. */
const wellFormed = /^[^\r\n]*(?:\r\n[^\r\n]+)*$/
const endOfHead = '\r\n\r\n'
const carriageReturn = 0x0d
const lineFeed = 0x0a
const one = 0x31
const nine = 0x39

const isFinal = 0
const isIncomplete = -1

type Kind = 'unknown' | 'final' | 'informational' | 'garbled'

export class InformationalHeads {
  #held: Buffer | null = null
  #skippedBytes = 0

  /** A request was written: what comes next is its answer. */
  begin(): void {
    this.#held = null
    this.#skippedBytes = 0
  }

  /**
   * What comes from a final status line on, with all behind it; null when that has not come, or when it never will and the
   * socket is destroyed.
   */
  skip(socket: Socket, bytes: Buffer): Buffer | null {
    if (this.#held === null && beginsWithFinalHead(bytes)) return bytes
    let rest = this.#held === null ? bytes : Buffer.concat([this.#held, bytes])
    this.#held = null
    for (;;) {
      rest = this.#withoutLineBreaks(rest)
      const found = this.#judge(rest)
      if (found === isFinal) return rest
      if (typeof found === 'string') return fail(socket, found)
      if (found === isIncomplete) {
        this.#held = rest
        return null
      }
      rest = rest.subarray(found)
    }
  }

  /** How much of the start of `bytes` to skip, or one of two constants; what is wrong with it, if anything is. */
  #judge(bytes: Buffer): number | string {
    if (this.#skippedBytes > headBytesMax) return 'too much comes before it'
    const kind = kindOf(bytes)
    if (kind === 'final') return isFinal
    if (kind === 'garbled') return 'it does not begin with a final HTTP/1 head'
    const end = kind === 'unknown' ? -1 : bytes.indexOf(endOfHead)
    const length = end < 0 ? bytes.length : end + endOfHead.length
    if (this.#skippedBytes + length > headBytesMax) return 'too much comes before it'
    if (end < 0) return isIncomplete
    if (!wellFormed.test(bytes.toString('latin1', 0, end))) return 'a line of a head is broken'
    this.#skippedBytes += length
    return length
  }

  /** Any number of them is taken before a head, as undici's parser does. */
  #withoutLineBreaks(bytes: Buffer): Buffer {
    let at = 0
    while (bytes[at] === carriageReturn || bytes[at] === lineFeed) at++
    this.#skippedBytes += at
    return at === 0 ? bytes : bytes.subarray(at)
  }
}

/** Of the head at the start of `bytes`. */
function kindOf(bytes: Buffer): Kind {
  const begun = bytes.toString('latin1', 0, decidedBytes)
  // Filled up with what may follow, so that a part of a status line is judged like a whole one.
  if (!statusLine.test(begun + anyStatusLine.slice(begun.length))) return 'garbled'
  if (begun.length < decidedBytes) return 'unknown'
  if (begun.charCodeAt(statusOffset) !== one) return 'final'
  return begun.startsWith('101', statusOffset) ? 'garbled' : 'informational'
}

/** The usual case, told without a string: the whole status of a final answer in one read. */
function beginsWithFinalHead(bytes: Buffer): boolean {
  if (bytes.length < decidedBytes) return false
  const status = bytes[statusOffset] as number
  const isHttp1 = bytes.readUInt32BE(0) === 0x48_54_54_50 && bytes.readUInt32BE(4) === 0x2f_31_2e_31
  return isHttp1 && bytes[8] === 0x20 && status > one && status <= nine
}

/** Like what undici's parser cannot read. */
function fail(socket: Socket, why: string): null {
  const error = new errors.HTTPParserError(`The answer is not HTTP/1.1: ${why}`)
  socket.destroy(error)
  return null
}
