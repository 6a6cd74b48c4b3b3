// The live streams that are open: a limited number of them, in all and for each user, and how each of them ends. A reader
// who is behind is left out and told the sum later, so that nothing queues up; one who stays behind is cut off.
import type { Readable } from 'node:stream'
import { durations } from '../config.ts'
import { Failure } from '../errors.ts'
import type { Visitor } from '../orgs/service.ts'
import { EventStream } from './event-stream.ts'
import { type LiveFigures, presentFirstRequest, presentLive } from './live-schema.ts'
import { LiveWatch } from './live-watch.ts'
import { type Counts, noCounts } from './usage-sums.ts'

export interface Viewer extends Visitor {
  sessionId: string
  tokenExpiresAt: Date
}

export type EndReason = 'token_expired' | 'access_lost' | 'stopping'

export interface LiveStream {
  readonly out: EventStream
  readonly viewer: Viewer
  readonly watch: LiveWatch
  /** The total of the watch that the reader knows of; null before the first. */
  told: Counts | null
  /** Whether the endpoint had never been called when the stream was opened, nor since. */
  awaitsFirst: boolean
  /** Times in a row that the reader was too far behind to be told anything. */
  missed: number
}

export interface LiveStreamsDeps {
  metrics: { setLiveStreams(count: number): void }
  config: { liveStreamsMax: number; liveStreamsPerUserMax: number }
}

const missedMax = durations.liveStall / durations.liveTick

export class LiveStreams {
  readonly #deps: LiveStreamsDeps
  readonly #streams = new Set<LiveStream>()
  readonly #watches = new Map<string, LiveWatch>()

  constructor(deps: LiveStreamsDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#streams.size
  }

  /** May be changed by ending streams: copies. */
  get all(): LiveStream[] {
    return [...this.#streams]
  }

  /** What is watched, each endpoint once. */
  get watches(): LiveWatch[] {
    return [...this.#watches.values()]
  }

  /** Throws `too_many_streams` or `overloaded` when there is no room. @param firstDay null when there never was a call. */
  add(viewer: Viewer, endpointId: string, firstDay: Date | null): Readable {
    this.#checkRoom(viewer)
    const out = new EventStream()
    const watch = this.#watches.get(endpointId) ?? new LiveWatch(endpointId)
    const awaitsFirst = firstDay === null
    // Where there never was a call, all there are by then have been added.
    const told = awaitsFirst ? noCounts : null
    const stream: LiveStream = { out, viewer, watch, told, awaitsFirst, missed: 0 }
    watch.readers += 1
    this.#watches.set(endpointId, watch)
    this.#streams.add(stream)
    this.#deps.metrics.setLiveStreams(this.size)
    out.once('close', () => this.#remove(stream))
    // Something at once: a reader then knows that the stream is open.
    if (firstDay === null) out.sendHeartbeat()
    else out.sendEvent('first_request', presentFirstRequest(firstDay))
    return out
  }

  end(stream: LiveStream, reason: EndReason): void {
    if (this.#remove(stream)) stream.out.finish('end', { reason })
  }

  #checkRoom({ userId }: Viewer): void {
    const { liveStreamsMax, liveStreamsPerUserMax } = this.#deps.config
    const own = this.all.filter(({ viewer }) => viewer.userId === userId)
    if (own.length >= liveStreamsPerUserMax) {
      throw new Failure('too_many_streams', {
        detail: `You have ${own.length} live streams open, as many as a user may have: close one.`
      })
    }
    if (this.size >= liveStreamsMax) {
      throw new Failure('overloaded', {
        detail: `All ${liveStreamsMax} live streams are taken: ask for the series instead, or try later.`,
        retryAfterSeconds: durations.liveStall / 1000
      })
    }
  }

  /** Whether it was still there. */
  #remove(stream: LiveStream): boolean {
    if (!this.#streams.delete(stream)) return false
    stream.watch.readers -= 1
    if (stream.watch.readers === 0) this.#watches.delete(stream.watch.endpointId)
    this.#deps.metrics.setLiveStreams(this.size)
    return true
  }
}

/** Tells what was added since the reader was told last; later, when the reader is behind. */
export function tellUsage(stream: LiveStream, now: Pick<LiveFigures, 'at' | 'completeUntil'>) {
  if (isBehind(stream)) return
  const { out, watch } = stream
  const first = stream.awaitsFirst ? watch.firstDay : null
  if (first !== null) {
    stream.awaitsFirst = false
    out.sendEvent('first_request', presentFirstRequest(first))
  }
  const total = { ...watch.total }
  const before = stream.told ?? total
  out.sendEvent('usage', presentLive({ ...now, before, total, minutes: watch.minutes }))
  stream.told = total
}

export function tellNothing(stream: LiveStream): void {
  if (!isBehind(stream)) stream.out.sendHeartbeat()
}

/** Counts how often in a row, and cuts off who does not catch up. */
function isBehind(stream: LiveStream): boolean {
  const { isFull } = stream.out
  stream.missed = isFull ? stream.missed + 1 : 0
  if (stream.missed >= missedMax) stream.out.destroy()
  return isFull
}
