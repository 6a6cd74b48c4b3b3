// The SQL of usage. Every statement names the scopes and keys whose rows it wants, because with those the primary key of
// the usage tables leads straight to the rows of a time. What must agree with each other is read in one snapshot.
import { and, asc, desc, eq, gt, gte, inArray, isNull, min, sql } from 'drizzle-orm'
import type { Database, Queryable } from '../../drizzle/client.ts'
import { chains } from '../../drizzle/schema/chains.ts'
import { gatewayNodes } from '../../drizzle/schema/changes.ts'
import { apiKeys, endpoints } from '../../drizzle/schema/endpoints.ts'
import { callErrors, quotaUsage, usageDays, usageWriters } from '../../drizzle/schema/usage.ts'
import { type Dimension, type ScopeKeys, type Slice, wholeOf } from './slice.ts'
import {
  countColumns,
  groupColumn,
  isIn,
  latencyColumn,
  placeColumn,
  type Span,
  type Steps,
  sumOf,
  usageTables
} from './usage-columns.ts'
import type { Counts, Sums } from './usage-sums.ts'

export type CallErrorRow = typeof callErrors.$inferSelect
export type UsageRepo = ReturnType<typeof createUsageRepo>
/** Holds a connection: what it is asked meanwhile must not wait for another one, so places can be asked here too. */
export type UsageSnapshot = ReturnType<typeof snapshotStatements>

/** An endpoint, deleted or not: its usage stays readable. */
export interface EndpointFacts {
  id: string
  chainId: string
  dailyQuota: number | null
}

export function createUsageRepo({ orm }: Pick<Database, 'orm'>) {
  return {
    ...placeStatements(orm),
    ...stateStatements(orm),
    /** Whatever is read through the snapshot is of one moment. */
    async inSnapshot<T>(read: (snapshot: UsageSnapshot) => Promise<T>): Promise<T> {
      return await orm.transaction((tx) => read(snapshotStatements(tx)), {
        isolationLevel: 'repeatable read',
        accessMode: 'read only'
      })
    }
  }
}

function snapshotStatements(orm: Queryable) {
  return { ...placeStatements(orm), ...usageStatements(orm), ...completenessStatements(orm) }
}

function placeStatements(orm: Queryable) {
  const facts = {
    id: endpoints.id,
    chainId: endpoints.chainId,
    dailyQuota: endpoints.dailyQuota
  }
  const keyPlace = { id: apiKeys.id, endpointId: apiKeys.endpointId }
  return {
    async findEndpoint(orgId: string, id: string): Promise<EndpointFacts | null> {
      const [row] = await orm
        .select(facts)
        .from(endpoints)
        .where(and(eq(endpoints.id, id), eq(endpoints.orgId, orgId)))
      return row ?? null
    },

    async listEndpoints(orgId: string): Promise<EndpointFacts[]> {
      return await orm
        .select(facts)
        .from(endpoints)
        .where(eq(endpoints.orgId, orgId))
        .orderBy(asc(endpoints.id))
    },

    async findKey(orgId: string, id: string): Promise<{ id: string; endpointId: string } | null> {
      const [row] = await orm
        .select(keyPlace)
        .from(apiKeys)
        .innerJoin(endpoints, eq(endpoints.id, apiKeys.endpointId))
        .where(and(eq(apiKeys.id, id), eq(endpoints.orgId, orgId)))
      return row ?? null
    },

    /** Every key that these endpoints ever had. */
    async listKeys(endpointIds: readonly string[]): Promise<ScopeKeys[]> {
      if (endpointIds.length === 0) return []
      const rows = await orm
        .select(keyPlace)
        .from(apiKeys)
        .where(inArray(apiKeys.endpointId, [...endpointIds]))
      const byEndpoint = Map.groupBy(rows, (row) => row.endpointId)
      return [...byEndpoint].map(([scopeId, keys]) => ({
        scopeId,
        keyIds: keys.map((key) => key.id)
      }))
    },

    async loadChainNames(ids: readonly string[]): Promise<Map<string, string>> {
      if (ids.length === 0) return new Map()
      const rows = await orm
        .select({ id: chains.id, name: chains.name })
        .from(chains)
        .where(inArray(chains.id, [...ids]))
      return new Map(rows.map(({ id, name }) => [id, name]))
    }
  }
}

function usageStatements(orm: Queryable) {
  return {
    /** The sums of each step and group in which there were calls. Without groups the group is `''`. */
    async sumSeries(
      slice: Slice,
      steps: Steps,
      groupBy: Dimension | null
    ): Promise<{ place: number; group: string; sums: Sums }[]> {
      if (slice.scopes.length === 0) return []
      const table = usageTables[steps.grain]
      // Grouped by its name: MySQL does not see that an INTERVAL() in the list is the one in GROUP BY.
      const place = placeColumn(table, steps).as('place')
      const group = groupBy === null ? sql<string>`''` : groupColumn(table, groupBy)
      const rows = await orm
        .select({ place, group, ...countColumns(table), latency: latencyColumn(table) })
        .from(table)
        .where(isIn(table, slice, steps))
        .groupBy(...(groupBy === null ? [place] : [place, group]))
      return rows.map(({ place, group, ...sums }) => ({ place, group: String(group), sums }))
    },

    /** The counts of each group that was called in a span. */
    async sumGroups(
      slice: Slice,
      span: Span,
      groupBy: Dimension
    ): Promise<{ group: string; counts: Counts }[]> {
      if (slice.scopes.length === 0) return []
      const table = usageTables[span.grain]
      const group = groupColumn(table, groupBy)
      const rows = await orm
        .select({ group, ...countColumns(table) })
        .from(table)
        .where(isIn(table, slice, span))
        .groupBy(group)
      return rows.map(({ group, ...counts }) => ({ group: String(group), counts }))
    },

    /** The counts of each row of time that had calls. */
    async sumTimes(slice: Slice, span: Span): Promise<{ startsAt: Date; counts: Counts }[]> {
      if (slice.scopes.length === 0) return []
      const table = usageTables[span.grain]
      const rows = await orm
        .select({ startsAt: table.startsAt, ...countColumns(table) })
        .from(table)
        .where(isIn(table, slice, span))
        .groupBy(table.startsAt)
      return rows.map(toTimedCounts)
    },

    /** The counts of each of these scopes as a whole, in each row of time that had calls. */
    async sumScopes(
      scopeIds: readonly string[],
      span: Span
    ): Promise<Map<string, { startsAt: Date; counts: Counts }[]>> {
      if (scopeIds.length === 0) return new Map()
      const table = usageTables[span.grain]
      const { scopeId, startsAt } = table
      const rows = await orm
        .select({ scopeId, startsAt, ...countColumns(table) })
        .from(table)
        .where(isIn(table, { scopes: scopeIds.map(wholeOf) }, span))
        .groupBy(scopeId, startsAt)
      const byScope = Map.groupBy(rows, (row) => row.scopeId)
      return new Map([...byScope].map(([id, own]) => [id, own.map(toTimedCounts)]))
    }
  }
}

function completenessStatements(orm: Queryable) {
  return {
    /**
     * Until when every gateway that was seen since has written what it counted; null when none was. One that has not
     * written yet has nothing from before its start; one that has ended has written everything.
     */
    async loadCompleteUntil(seenSince: Date): Promise<Date | null> {
      const until = sql`MIN(COALESCE(${usageWriters.completeUntil}, ${gatewayNodes.bootedAt}))`
      const [row] = await orm
        .select({ until: until.mapWith(usageWriters.completeUntil) })
        .from(gatewayNodes)
        .leftJoin(usageWriters, eq(usageWriters.bootId, gatewayNodes.bootId))
        .where(and(gt(gatewayNodes.seenAt, seenSince), isNull(usageWriters.endedAt)))
      return (row?.until as Date | null | undefined) ?? null
    }
  }
}

function toTimedCounts({ startsAt, ...counts }: Counts & { startsAt: Date | null }) {
  if (startsAt === null) throw new Error('a part of a primary key is never null')
  return { startsAt, counts }
}

function stateStatements(orm: Queryable) {
  return {
    /** What each scope has consumed in a UTC day such as `2026-11-23`; a scope that is not there has consumed nothing. */
    async loadQuotaUsed(scopeIds: readonly string[], day: string): Promise<Map<string, number>> {
      const rows = await orm
        .select({ scopeId: quotaUsage.scopeId, used: sumOf(quotaUsage.used) })
        .from(quotaUsage)
        .where(and(inArray(quotaUsage.scopeId, [...scopeIds]), eq(quotaUsage.day, day)))
        .groupBy(quotaUsage.scopeId)
      return new Map(rows.map(({ scopeId, used }) => [scopeId, used]))
    },

    /** The first UTC day in which an endpoint was called; null when it never was, or not for as long as days are kept. */
    async findFirstDay(endpointId: string): Promise<Date | null> {
      const [row] = await orm
        .select({ first: min(usageDays.startsAt) })
        .from(usageDays)
        .where(and(eq(usageDays.scopeId, endpointId), eq(usageDays.keyId, '')))
      return row?.first ?? null
    },

    /** The latest first. */
    async listErrors(endpointId: string, since: Date, limit: number): Promise<CallErrorRow[]> {
      return await orm
        .select()
        .from(callErrors)
        .where(and(eq(callErrors.endpointId, endpointId), gte(callErrors.occurredAt, since)))
        .orderBy(desc(callErrors.id))
        .limit(limit)
    }
  }
}
