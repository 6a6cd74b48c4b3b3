// Usage as its owner asks for it. Everything happens inside one org that the actor was let into first; an endpoint or a key
// of another org does not exist here, while a deleted endpoint's usage stays readable.
import type { Readable } from 'node:stream'
import type { ChainService } from '../chains/service.ts'
import type { Clock } from '../clock.ts'
import { type Config, durations } from '../config.ts'
import { Failure } from '../errors.ts'
import type { Actor } from '../http/app-type.ts'
import type { OrgService } from '../orgs/service.ts'
import type { LiveFeed } from './live-feed.ts'
import { type RankedGroup, rankGroups } from './ranking.ts'
import type { CallErrorRow, EndpointFacts, UsageRepo, UsageSnapshot } from './repo.ts'
import {
  type Grouping,
  loadSeries,
  type Outcome,
  type Point,
  rowsMax,
  type SeriesQuestion,
  type SliceResolver
} from './series.ts'
import { type Dimension, type Filters, type Slice, sliceKindOf, wholeOf } from './slice.ts'
import {
  type Comparison,
  comparisonsAt,
  countsIn,
  hoursNeeded,
  minutesNeeded,
  type PeriodName,
  periodNames
} from './summary.ts'
import { dayMs, floorTo, type RangeQuery, readTimeRange, type TimeRange } from './time-range.ts'
import { type Counts, callsOf } from './usage-sums.ts'

/** Whose usage is asked for: an org's, or that of one of its endpoints. */
export interface UsagePlace {
  orgId: string
  endpointId: string | null
}

/** A chain is told by its name or its id. */
export type SeriesQuery = RangeQuery &
  Filters & { outcome?: Outcome; group_by?: Grouping; groups?: number }

export interface Series {
  groupBy: Grouping | null
  range: TimeRange
  points: Point[]
  completeUntil: Date | null
}

export type Compared = Comparison & { counts: { current: Counts; before: Counts } }

export interface Quota {
  limit: number
  used: number
}

export interface Summary {
  periods: Record<PeriodName, Compared>
  topMethods: RankedGroup[]
  /** Null for an endpoint. */
  topEndpoints: RankedGroup[] | null
  /** Null without a limit, or where there is none to have. */
  quotas: { org: Quota | null; endpoint: Quota | null; resetsAt: Date }
  completeUntil: Date | null
}

export interface AnalyticsServiceDeps {
  repo: UsageRepo
  orgs: Pick<OrgService, 'requireOrg'>
  chains: Pick<ChainService, 'requireChain'>
  liveFeed: Pick<LiveFeed, 'open' | 'stop'>
  clock: Clock
  config: Pick<Config, 'retentionMs'>
}

export type AnalyticsService = ReturnType<typeof createAnalyticsService>

const groupsByDefault = 5
const topCount = 10
const topDays = 7
const errorsMax = 100

export function createAnalyticsService(deps: AnalyticsServiceDeps) {
  const { repo, orgs, liveFeed, clock, config } = deps
  return {
    async series(actor: Actor, place: UsagePlace, query: SeriesQuery): Promise<Series> {
      await requirePlace(deps, actor, place)
      const range = readTimeRange(query, { now: clock(), retentionMs: config.retentionMs })
      const { outcome = null, group_by: groupBy = null, groups = groupsByDefault } = query
      checkRows(range, groupBy, groups)
      const filters = await readFilters(deps, place, query)
      const question: SeriesQuestion = { range, filters, outcome, groupBy, groups }
      return await repo.inSnapshot(async (snapshot) => ({
        groupBy,
        range,
        completeUntil: await loadCompleteUntil(snapshot, clock),
        points: await nameChains(
          snapshot,
          groupBy,
          await loadSeries(snapshot, question, sliceResolver(snapshot, place.orgId, filters))
        )
      }))
    },

    async summary(actor: Actor, place: UsagePlace): Promise<Summary> {
      const { orgId, endpointId } = place
      const org = await orgs.requireOrg(actor, orgId, 'usage.read')
      const endpoint = endpointId === null ? null : await requireEndpoint(repo, orgId, endpointId)
      const now = clock()
      const filters = endpoint === null ? {} : { endpoint: endpoint.id }
      const quotas = await loadQuotas(repo, org, endpoint, now)
      return await repo.inSnapshot(async (snapshot) => {
        const sliceBy = sliceResolver(snapshot, orgId, filters)
        const isOrg = endpoint === null
        return {
          quotas,
          completeUntil: await loadCompleteUntil(snapshot, clock),
          periods: await loadPeriods(snapshot, await sliceBy(null), now),
          topMethods: await loadTop(snapshot, await sliceBy('method'), 'method', now),
          topEndpoints: isOrg
            ? await loadTop(snapshot, await sliceBy('endpoint'), 'endpoint', now)
            : null
        }
      })
    },

    /** The latest first. */
    async errors(actor: Actor, orgId: string, endpointId: string): Promise<CallErrorRow[]> {
      await requirePlace(deps, actor, { orgId, endpointId })
      const since = new Date(clock().getTime() - config.retentionMs.callErrors)
      return await repo.listErrors(endpointId, since, errorsMax)
    },

    /** Throws `too_many_streams` or `overloaded` when there is no room for one more. */
    async watch(actor: Actor, orgId: string, endpointId: string): Promise<Readable> {
      await requirePlace(deps, actor, { orgId, endpointId })
      const firstDay = await repo.findFirstDay(endpointId)
      return liveFeed.open({ ...actor, orgId }, endpointId, firstDay)
    },

    /** Ends every stream, so that the server can close. */
    stopWatching(): void {
      liveFeed.stop()
    }
  }
}

async function requirePlace(
  { orgs, repo }: AnalyticsServiceDeps,
  actor: Actor,
  { orgId, endpointId }: UsagePlace
): Promise<void> {
  await orgs.requireOrg(actor, orgId, 'usage.read')
  if (endpointId !== null) await requireEndpoint(repo, orgId, endpointId)
}

async function requireEndpoint(repo: UsageRepo, orgId: string, id: string): Promise<EndpointFacts> {
  const endpoint = await repo.findEndpoint(orgId, id)
  if (endpoint === null) throw new Failure('not_found')
  return endpoint
}

function checkRows(range: TimeRange, groupBy: Grouping | null, groups: number): void {
  if (groupBy === null || groupBy === 'outcome') return
  const steps = range.bounds.length - 1
  const fitting = Math.floor(rowsMax / steps) - 1
  if (groups <= fitting) return
  throw new Failure('validation_failed', {
    errors: [
      {
        in: 'query',
        pointer: '#/groups',
        detail: `${steps} steps of ${groups} groups are too many rows: ask for ${fitting} groups at most, or for a longer step`
      }
    ]
  })
}

/** Ids of what is the org's. Throws `not_found` for anything else. */
async function readFilters(
  { repo, chains }: AnalyticsServiceDeps,
  { orgId, endpointId }: UsagePlace,
  { endpoint, key, method, chain }: SeriesQuery
): Promise<Filters> {
  const within = endpointId ?? endpoint
  if (endpoint !== undefined) await requireEndpoint(repo, orgId, endpoint)
  if (key !== undefined) {
    const found = await repo.findKey(orgId, key)
    if (found === null || (within !== undefined && found.endpointId !== within)) {
      throw new Failure('not_found')
    }
  }
  const chainId = chain === undefined ? undefined : (await chains.requireChain(chain)).id
  return {
    ...(within === undefined ? {} : { endpoint: within }),
    ...(key === undefined ? {} : { key }),
    ...(method === undefined ? {} : { method }),
    ...(chainId === undefined ? {} : { chain: chainId })
  }
}

function sliceResolver(snapshot: UsageSnapshot, orgId: string, filters: Filters): SliceResolver {
  const { endpoint, key, method, chain } = filters
  const common = {
    ...(method === undefined ? {} : { methods: [method] }),
    ...(chain === undefined ? {} : { chainIds: [chain] })
  }
  return async (groupBy: Dimension | null): Promise<Slice> => {
    const kind = sliceKindOf(filters, groupBy)
    if (kind === 'org') return { scopes: [wholeOf(orgId)], ...common }
    const endpointIds =
      endpoint === undefined
        ? (await snapshot.listEndpoints(orgId))
            .filter(({ chainId }) => chain === undefined || chainId === chain)
            .map(({ id }) => id)
        : [endpoint]
    if (kind === 'endpoints') return { scopes: endpointIds.map(wholeOf), ...common }
    const scopes = await snapshot.listKeys(endpointIds)
    if (key === undefined) return { scopes, ...common }
    const own = scopes.filter(({ keyIds }) => keyIds.includes(key))
    return { scopes: own.map(({ scopeId }) => ({ scopeId, keyIds: [key] })), ...common }
  }
}

async function loadCompleteUntil(snapshot: UsageSnapshot, clock: Clock): Promise<Date | null> {
  return await snapshot.loadCompleteUntil(new Date(clock().getTime() - durations.gatewaySilence))
}

/** Chains are told by name, but for those that are gone. */
async function nameChains(
  snapshot: UsageSnapshot,
  groupBy: Grouping | null,
  points: Point[]
): Promise<Point[]> {
  if (groupBy !== 'chain') return points
  const ids = new Set(points.flatMap(({ group }) => group ?? []))
  const names = await snapshot.loadChainNames([...ids])
  return points.map((point) => ({ ...point, group: names.get(point.group ?? '') ?? point.group }))
}

async function loadPeriods(
  snapshot: UsageSnapshot,
  slice: Slice,
  now: Date
): Promise<Record<PeriodName, Compared>> {
  const comparisons = comparisonsAt(now)
  const hours = await snapshot.sumTimes(slice, { grain: '1h', ...hoursNeeded(comparisons) })
  const minutes = await snapshot.sumTimes(slice, { grain: '1m', ...minutesNeeded(comparisons) })
  const compared = periodNames.map((name) => {
    const { current, before } = comparisons[name]
    const counts = {
      current: countsIn(current, hours, minutes, now),
      before: countsIn(before, hours, minutes, now)
    }
    return [name, { current, before, counts }]
  })
  return Object.fromEntries(compared) as Record<PeriodName, Compared>
}

async function loadTop(
  snapshot: UsageSnapshot,
  slice: Slice,
  groupBy: Dimension,
  now: Date
): Promise<RankedGroup[]> {
  const today = floorTo(now.getTime(), dayMs)
  const { top } = await rankGroups(snapshot, {
    slice,
    groupBy,
    span: {
      grain: '1d',
      from: new Date(today - (topDays - 1) * dayMs),
      to: new Date(today + dayMs)
    },
    count: topCount,
    measure: callsOf
  })
  return top
}

async function loadQuotas(
  repo: UsageRepo,
  org: { id: string; dailyQuota: number | null },
  endpoint: EndpointFacts | null,
  now: Date
): Promise<Summary['quotas']> {
  const today = floorTo(now.getTime(), dayMs)
  const day = new Date(today).toISOString().slice(0, 10)
  const scopes = endpoint === null ? [org] : [org, endpoint]
  const used = await repo.loadQuotaUsed(
    scopes.map(({ id }) => id),
    day
  )
  const quotaOf = (scope: typeof org | null) =>
    scope === null || scope.dailyQuota === null
      ? null
      : { limit: scope.dailyQuota, used: used.get(scope.id) ?? 0 }
  return {
    org: quotaOf(org),
    endpoint: quotaOf(endpoint),
    resetsAt: new Date(today + dayMs)
  }
}
