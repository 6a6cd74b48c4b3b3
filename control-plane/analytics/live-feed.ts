// The live feed: everybody who watches an endpoint is told each second what was added, out of one reading a second for all
// of them. A stream ends with the access token that opened it, when its reader loses access, and when this process stops.
// While the database cannot be asked, streams stay open and lose nothing: what was added is told when it is known.
import type { Readable } from 'node:stream'
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import { durations } from '../config.ts'
import { Failure } from '../errors.ts'
import {
  LiveStreams,
  type LiveStreamsDeps,
  tellNothing,
  tellUsage,
  type Viewer
} from './live-streams.ts'
import type { LiveWatch } from './live-watch.ts'
import type { UsageRepo } from './repo.ts'
import { dayMs, floorTo, stepMs } from './time-range.ts'

export interface LiveFeedDeps extends LiveStreamsDeps {
  repo: Pick<UsageRepo, 'inSnapshot'>
  /** Of these, those who still may watch. */
  filterAllowed(viewers: readonly Viewer[]): Promise<Viewer[]>
  clock: Clock
  log: Pick<Logger, 'info' | 'warn'>
}

export type LiveFeed = ReturnType<typeof createLiveFeed>

/** A gateway without its database keeps its counts: so late they may come and still be told. */
const lateDays = 2
const ticksPerAccessCheck = durations.liveAccessCheck / durations.liveTick

export function createLiveFeed(deps: LiveFeedDeps) {
  const { repo, clock, log, filterAllowed } = deps
  const streams = new LiveStreams(deps)
  let timer: NodeJS.Timeout | undefined
  let readings = 0
  let isReading = false
  let isLate = false
  let isStopped = false

  function tick(): void {
    const now = clock()
    for (const stream of streams.all) {
      if (stream.viewer.tokenExpiresAt <= now) streams.end(stream, 'token_expired')
    }
    if (streams.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
    // A database that takes longer than a second is asked once at a time.
    else if (isReading) streams.all.forEach(tellNothing)
    else void readAndTell()
  }

  async function readAndTell(): Promise<void> {
    isReading = true
    try {
      readings += 1
      if (readings % ticksPerAccessCheck === 0) await endWithoutAccess()
      await tellAll()
      if (isLate) log.info('live usage is told again')
      isLate = false
    } catch (error) {
      if (!isLate) log.warn({ err: error }, 'live usage cannot be read')
      isLate = true
      streams.all.forEach(tellNothing)
    } finally {
      isReading = false
    }
  }

  async function endWithoutAccess(): Promise<void> {
    const asked = streams.all
    const allowed = new Set(await filterAllowed(asked.map(({ viewer }) => viewer)))
    for (const stream of asked) {
      if (!allowed.has(stream.viewer)) streams.end(stream, 'access_lost')
    }
  }

  async function tellAll(): Promise<void> {
    const watches = new Set(streams.watches)
    const now = await updateWatches(repo, watches, clock())
    for (const stream of streams.all) {
      // One that was opened meanwhile has nothing to tell yet.
      if (watches.has(stream.watch)) tellUsage(stream, now)
    }
  }

  return {
    /** Throws `too_many_streams` or `overloaded` when there is no room. @param firstDay null when there never was a call. */
    open(viewer: Viewer, endpointId: string, firstDay: Date | null): Readable {
      if (isStopped) throw new Failure('overloaded', { detail: 'This process is stopping.' })
      const stream = streams.add(viewer, endpointId, firstDay)
      timer ??= setInterval(tick, durations.liveTick).unref()
      return stream
    },

    /** Ends all streams. There will be no others. */
    stop(): void {
      isStopped = true
      for (const stream of streams.all) streams.end(stream, 'stopping')
      clearInterval(timer)
    }
  }
}

/** Everything that is read is of one moment, so that nothing is missing from before `completeUntil`. */
async function updateWatches(
  repo: LiveFeedDeps['repo'],
  watches: ReadonlySet<LiveWatch>,
  at: Date
): Promise<{ at: Date; completeUntil: Date | null }> {
  const now = at.getTime()
  const ids = [...watches].map(({ endpointId }) => endpointId)
  // Gateways whose clocks are ahead of ours count in minutes and days that have not begun here.
  const to = new Date(now + dayMs)
  const firstDay = new Date(floorTo(now, dayMs) - lateDays * dayMs)
  const minuteBefore = new Date(floorTo(now, stepMs['1m']) - stepMs['1m'])
  return await repo.inSnapshot(async (snapshot) => {
    const completeUntil = await snapshot.loadCompleteUntil(new Date(now - durations.gatewaySilence))
    const days = await snapshot.sumScopes(ids, { grain: '1d', from: firstDay, to })
    const minutes = await snapshot.sumScopes(ids, { grain: '1m', from: minuteBefore, to })
    for (const watch of watches) {
      watch.update(days.get(watch.endpointId) ?? [], minutes.get(watch.endpointId) ?? [])
    }
    return { at, completeUntil }
  })
}
