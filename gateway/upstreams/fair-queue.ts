// The calls that wait for a connection of one upstream. Each org has a lane of its own there, first come first served,
// and the lanes take turns: a call of an org that rarely calls waits for one turn of each other org, and not behind all
// that a busy one has sent. A call can leave at any moment, because its client has gone or its deadline has passed: it
// then takes no place, and no connection is spent on it.
//
// A lane may take part in the connections and places that exist, as a multiple of those that are free (org-holdings.ts
// says why): of 256 connections a lone org uses up to 192, two orgs up to 109 each.

/** An org may hold this many times what is free. */
const freeMultiple = 3

/** What one org has at one upstream. */
export class Lane {
  /** Calls of the org that are on a connection. */
  carried = 0
  waiting = 0
  first: QueuedCall | null = null
  last: QueuedCall | null = null
  // Neighbours in the ring of the lanes in which calls wait.
  previous: Lane | null = null
  next: Lane | null = null
}

/** A call that can wait; the fields are the queue's. */
export interface QueuedCall {
  readonly lane: Lane
  isWaiting: boolean
  older: QueuedCall | null
  newer: QueuedCall | null
}

/** Whether a lane that has `held` may have one more, when `free` are left. */
export const maySpare = (held: number, free: number): boolean => held < freeMultiple * free

export class FairQueue<Call extends QueuedCall> {
  readonly #callsMax: number
  #size = 0
  /** The lane whose turn is next. */
  #turn: Lane | null = null

  constructor(callsMax: number) {
    this.#callsMax = callsMax
  }

  /** Calls that wait; those that have left are not among them. */
  get size(): number {
    return this.#size
  }

  hasPlaceFor({ waiting }: Lane): boolean {
    return maySpare(waiting, this.#callsMax - this.#size)
  }

  add(call: Call): void {
    const { lane } = call
    call.isWaiting = true
    call.older = lane.last
    call.newer = null
    if (lane.last === null) lane.first = call
    else lane.last.newer = call
    lane.last = call
    lane.waiting++
    this.#size++
    if (lane.next === null) this.#enter(lane)
  }

  remove(call: Call): void {
    if (!call.isWaiting) return
    const { lane, older, newer } = call
    call.isWaiting = false
    if (older === null) lane.first = newer
    else older.newer = newer
    if (newer === null) lane.last = older
    else newer.older = older
    call.older = null
    call.newer = null
    lane.waiting--
    this.#size--
    if (lane.first === null) this.#leave(lane)
  }

  /**
   * Removes and returns the next call whose org may have another connection, when `free` are left; null when there is
   * none. The lanes that may not are few: each has more than `free` connections.
   */
  take(free: number): Call | null {
    const start = this.#turn
    if (start === null) return null
    for (let lane = start; ; lane = lane.next as Lane) {
      if (maySpare(lane.carried, free)) {
        const call = lane.first as Call
        this.#turn = lane.next
        this.remove(call)
        return call
      }
      if (lane.next === start) return null
    }
  }

  /** Removes and returns any call; null when none waits. */
  shift(): Call | null {
    const call = (this.#turn?.first ?? null) as Call | null
    if (call !== null) this.remove(call)
    return call
  }

  /** Behind all others: just before the lane whose turn is next. */
  #enter(lane: Lane): void {
    const turn = this.#turn
    if (turn === null) {
      lane.previous = lane
      lane.next = lane
      this.#turn = lane
      return
    }
    const previous = turn.previous as Lane
    lane.previous = previous
    lane.next = turn
    previous.next = lane
    turn.previous = lane
  }

  #leave(lane: Lane): void {
    const { previous, next } = lane
    lane.previous = null
    lane.next = null
    if (next === lane) {
      this.#turn = null
      return
    }
    ;(previous as Lane).next = next
    ;(next as Lane).previous = previous
    if (this.#turn === lane) this.#turn = next
  }
}
