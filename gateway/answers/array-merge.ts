// Adds our answers to those of the node while they pass, when only a part of a batch was sent to it: everything but the
// last bracket of the node's array, then ours, then the bracket. Nothing is held but that bracket and the white space
// behind it, and no byte is looked at twice, so that an answer of any size costs what streaming it costs.
import { skipSpace } from '../rpc/json.ts'

const openBracket = 0x5b
const closeBracket = 0x5d
/** White space behind what may be the last bracket; with more the answer is given up. Bytes. */
const tailBytesMax = 1024
const nothing = Buffer.alloc(0)

export class ArrayMerge {
  readonly #ours: readonly Buffer[]
  /** The last bracket so far, and the white space behind it. */
  #tail = nothing
  #hasBegun = false
  #isEmpty = true
  #isBroken = false

  /** @param ours objects, without commas. */
  constructor(ours: readonly Buffer[]) {
    this.#ours = ours
  }

  /** What of the next piece, and of what was held, may go to the client; a view of the piece where that is possible. */
  pass(piece: Buffer): Buffer {
    const bytes = this.#tail.length === 0 ? piece : Buffer.concat([this.#tail, piece])
    let start = 0
    if (!this.#hasBegun) {
      start = skipSpace(bytes, 0)
      if (start === bytes.length) return bytes
      this.#hasBegun = true
      this.#isBroken = bytes[start] !== openBracket
      start++
    }
    const last = lastNonSpace(bytes)
    const isHeld = last >= start && bytes[last] === closeBracket
    this.#isBroken ||= isHeld && bytes.length - last > tailBytesMax
    const end = isHeld ? last : bytes.length
    this.#tail = isHeld ? Buffer.from(bytes.subarray(last)) : nothing
    this.#isEmpty &&= skipSpace(bytes, start) >= end
    return bytes.subarray(0, end)
  }

  /** What ends the answer; null when what came is not an array. */
  end(): Buffer | null {
    if (this.#isBroken || this.#tail.length === 0) return null
    if (this.#ours.length === 0) return this.#tail
    return Buffer.from(`${this.#isEmpty ? '' : ','}${this.#ours.join(',')}]`)
  }
}

/** The offset of the last byte that is not white space; -1 when there is none. */
function lastNonSpace(bytes: Buffer): number {
  let at = bytes.length - 1
  while (at >= 0 && isSpace(bytes[at] as number)) at--
  return at
}

const isSpace = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
