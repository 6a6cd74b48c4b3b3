// The bytes that a thread holds for its clients, of request bodies or of answers. It guarantees that the whole stays
// within its limit, and that nobody's requests are refused because of what others hold: whoever holds most is refused
// first.
//
// - An org may hold at most a third of what is then free: alone a quarter of the account (org-holdings.ts says why).
//   One body or answer of the largest size is allowed whatever the share, while there is room for it.
// - Requests without a valid key get nothing once half of the account is taken.
import type { Holding } from './org-holdings.ts'

/** A holder may hold what is free, divided by this. */
const freeDivisor = 3

export class ByteAccount {
  readonly #bytesMax: number
  readonly #oneBytesMax: number
  #held = 0

  /** @param oneBytesMax of the largest thing that is held in one piece. */
  constructor(bytesMax: number, oneBytesMax: number) {
    this.#bytesMax = bytesMax
    this.#oneBytesMax = oneBytesMax
  }

  get held(): number {
    return this.#held
  }

  /** Whether the bytes may be held; if so they are counted. @param holding of the org; null without a valid key. */
  take(holding: Holding | null, bytes: number): boolean {
    if (!this.#allows(holding, bytes)) return false
    this.#held += bytes
    if (holding !== null) holding.bytes += bytes
    return true
  }

  giveBack(holding: Holding | null, bytes: number): void {
    this.#held -= bytes
    if (holding !== null) holding.bytes -= bytes
  }

  #allows(holding: Holding | null, bytes: number): boolean {
    const free = this.#bytesMax - this.#held - bytes
    if (holding === null) return free >= this.#bytesMax / 2
    const own = holding.bytes + bytes
    return free >= 0 && (own <= this.#oneBytesMax || own <= free / freeDivisor)
  }
}
