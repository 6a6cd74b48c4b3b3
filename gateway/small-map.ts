// A map that nearly always holds one entry, which is kept in place: a Map takes 200 bytes even when it is empty, and each
// cached key has two.

export class SmallMap<Key, Value> {
  #key: Key | undefined
  #value: Value | undefined
  #others: Map<Key, Value> | null = null

  get(key: Key): Value | undefined {
    return key === this.#key ? this.#value : this.#others?.get(key)
  }

  set(key: Key, value: Value): void {
    if (this.#key === undefined || key === this.#key) {
      this.#key = key
      this.#value = value
      return
    }
    this.#others ??= new Map()
    this.#others.set(key, value)
  }

  clear(): void {
    this.#key = undefined
    this.#value = undefined
    this.#others = null
  }
}
