// What a thread holds of answers: those that are not complete yet, and what clients have not taken. One account for all,
// with a share for each org (byte-account.ts). Answers that come and go in one piece, as most do, never touch it.
import type { ByteAccount } from '../byte-account.ts'
import type { Exchange } from '../exchange.ts'
import type { Holding } from '../org-holdings.ts'

export class HeldAnswers {
  readonly #account: ByteAccount

  constructor(account: ByteAccount) {
    this.#account = account
  }

  /** Whether so many bytes more may be held; if so they are counted. */
  hold(exchange: Exchange, bytes: number): boolean {
    if (!this.#account.take(holdingOf(exchange), bytes)) return false
    exchange.heldAnswerBytes += bytes
    return true
  }

  /** Nothing of the answer is held any more. */
  release(exchange: Exchange): void {
    if (exchange.heldAnswerBytes === 0) return
    this.#account.giveBack(holdingOf(exchange), exchange.heldAnswerBytes)
    exchange.heldAnswerBytes = 0
  }
}

/** The key of an exchange does not change any more when it has an answer. */
const holdingOf = ({ key }: Exchange): Holding | null => key?.holdings.answers ?? null
