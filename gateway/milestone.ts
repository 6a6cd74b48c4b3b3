// How far each of several threads has come with something that is numbered, and a way to wait until all have come so far.

export class Milestone {
  readonly #reached: number[] = []
  #waiting: { readonly number: number; readonly resolve: () => void }[] = []

  /** A member that has reached nothing yet. */
  add(member: number): void {
    this.#reached[member] = -1
  }

  /** @param number `Infinity` for one that nobody need wait for any more. */
  reach(member: number, number: number): void {
    this.#reached[member] = number
    const all = this.#all
    const due = this.#waiting.filter((one) => one.number <= all)
    this.#waiting = this.#waiting.filter((one) => one.number > all)
    for (const { resolve } of due) resolve()
  }

  /** Resolves when every member has reached it. */
  async reached(number: number): Promise<void> {
    if (this.#all >= number) return
    await new Promise<void>((resolve) => this.#waiting.push({ number, resolve }))
  }

  get #all(): number {
    return Math.min(...this.#reached)
  }
}
