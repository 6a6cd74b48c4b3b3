// The SQL of endpoints and their api keys. Every write locks its endpoint's row first, so that two rotations, or a
// rotation and a deletion, come one after the other; the change is appended last (drizzle/change-log.ts says why).
import { and, asc, count, eq, gt, inArray, isNull, lte, or, sql } from 'drizzle-orm'
import { appendChange } from '../../drizzle/change-log.ts'
import type { Database, Queryable, Transaction } from '../../drizzle/client.ts'
import { orgs } from '../../drizzle/schema/accounts.ts'
import { chains } from '../../drizzle/schema/chains.ts'
import { apiKeys, endpoints } from '../../drizzle/schema/endpoints.ts'
import { appendAudit } from '../audit/append-audit.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { PageRequest } from '../http/page.ts'

export type EndpointRow = typeof endpoints.$inferSelect
export type ApiKeyRow = typeof apiKeys.$inferSelect
export interface EndpointView {
  endpoint: EndpointRow
  chainName: string
  keys: ApiKeyRow[]
}
/** Where an endpoint is: never by its id alone, so that no statement can reach another org's. */
export interface EndpointPlace {
  orgId: string
  id: string
}
export interface KeyEnding {
  id: string
  ending: { revokedAt: Date } | { expiresAt: Date }
}
export type EndpointRepo = ReturnType<typeof createEndpointRepo>

type Orm = Database['orm']

/** Keys of an endpoint that an answer shows: all that are live (liveKeysMax of service.ts), then the last that ended. */
const shownKeysMax = 30

export function createEndpointRepo({ orm }: Pick<Database, 'orm'>) {
  return { ...readStatements(orm), ...endpointStatements(orm), ...keyStatements(orm) }
}

/** Runs under the row lock of a live endpoint, and announces the change. Null when there is no such endpoint. */
async function changeUnderLock(
  orm: Orm,
  { place, audit, now }: { place: EndpointPlace; audit: AuditEntry; now: Date },
  work: (
    tx: Transaction,
    endpoint: EndpointRow
  ) => Promise<{ entity: 'key' | 'endpoint'; id: string }>
): Promise<number | null> {
  return await orm.transaction(async (tx) => {
    const [endpoint] = await tx.select().from(endpoints).where(isAt(place)).for('update')
    if (endpoint === undefined) return null
    const { entity, id: entityId } = await work(tx, endpoint)
    await appendAudit(tx, audit, now)
    const { orgId, id: endpointId } = place
    return await appendChange(tx, { entity, entityId, endpointId, orgId })
  })
}

function readStatements(orm: Orm) {
  return {
    async load(place: EndpointPlace, endedSince: Date): Promise<EndpointView | null> {
      const [row] = await selectEndpoints(orm).where(isAt(place))
      if (row === undefined) return null
      const keys = await loadKeys(orm, [place.id], endedSince)
      return { ...row, keys }
    },

    /** One more than the page holds, when there is one. */
    async list(
      orgId: string,
      { limit, afterId }: PageRequest,
      endedSince: Date
    ): Promise<EndpointView[]> {
      const rows = await selectEndpoints(orm)
        .where(
          and(
            eq(endpoints.orgId, orgId),
            isNull(endpoints.deletedAt),
            afterId === null ? undefined : gt(endpoints.id, afterId)
          )
        )
        .orderBy(asc(endpoints.id))
        .limit(limit + 1)
      const ids = rows.map((row) => row.endpoint.id)
      const keys = await loadKeys(orm, ids, endedSince)
      return rows.map(({ endpoint, chainName }) => ({
        endpoint,
        chainName,
        keys: keys.filter((key) => key.endpointId === endpoint.id)
      }))
    },

    async findKey(place: EndpointPlace, keyId: string): Promise<ApiKeyRow | null> {
      const [row] = await orm
        .select({ key: apiKeys })
        .from(apiKeys)
        .innerJoin(endpoints, eq(endpoints.id, apiKeys.endpointId))
        .where(and(eq(apiKeys.id, keyId), isAt(place)))
      return row?.key ?? null
    }
  }
}

function endpointStatements(orm: Orm) {
  return {
    async create(
      endpoint: EndpointRow,
      key: ApiKeyRow,
      max: number,
      audit: AuditEntry
    ): Promise<{ changeId: number } | 'chain_gone' | 'limit_reached'> {
      return await orm.transaction(async (tx) => {
        // The org's row serialises the count; the chain's keeps it from being removed meanwhile.
        await tx.select({ id: orgs.id }).from(orgs).where(eq(orgs.id, endpoint.orgId)).for('update')
        const [chain] = await tx
          .select({ id: chains.id })
          .from(chains)
          .where(eq(chains.id, endpoint.chainId))
          .for('update')
        if (chain === undefined) return 'chain_gone'
        const [present] = await tx
          .select({ total: count() })
          .from(endpoints)
          .where(and(eq(endpoints.orgId, endpoint.orgId), isNull(endpoints.deletedAt)))
        if ((present?.total ?? 0) >= max) return 'limit_reached'
        await tx.insert(endpoints).values(endpoint)
        await tx.insert(apiKeys).values(key)
        await appendAudit(tx, audit, endpoint.createdAt)
        const changeId = await appendChange(tx, {
          entity: 'endpoint',
          entityId: endpoint.id,
          endpointId: endpoint.id,
          orgId: endpoint.orgId
        })
        return { changeId }
      })
    },

    /** `next` sees the endpoint as it is under its lock; what it throws leaves everything as it was. */
    async update(
      place: EndpointPlace,
      next: (endpoint: EndpointRow) => Partial<EndpointRow>,
      audit: AuditEntry,
      now: Date
    ): Promise<number | null> {
      return await changeUnderLock(orm, { place, audit, now }, async (tx, endpoint) => {
        await tx
          .update(endpoints)
          .set({ ...next(endpoint), updatedAt: now })
          .where(isAt(place))
        return { entity: 'endpoint', id: place.id }
      })
    },

    /** The endpoint stays as a tombstone: its keys answer `key_revoked` and its usage stays readable. */
    async remove(place: EndpointPlace, audit: AuditEntry, now: Date): Promise<number | null> {
      return await changeUnderLock(orm, { place, audit, now }, async (tx) => {
        await tx.update(endpoints).set({ deletedAt: now, updatedAt: now }).where(isAt(place))
        return { entity: 'endpoint', id: place.id }
      })
    }
  }
}

function keyStatements(orm: Orm) {
  return {
    /** A new key; `end` says, seeing all the live ones, how each of them ends. What it throws changes nothing. */
    async rotate(
      place: EndpointPlace,
      key: ApiKeyRow,
      end: (live: readonly ApiKeyRow[]) => KeyEnding[],
      audit: AuditEntry,
      now: Date
    ): Promise<number | null> {
      return await changeUnderLock(orm, { place, audit, now }, async (tx) => {
        const live = await tx
          .select()
          .from(apiKeys)
          .where(and(eq(apiKeys.endpointId, place.id), isLive(now)))
        for (const { id, ending } of end(live)) {
          await tx.update(apiKeys).set(ending).where(eq(apiKeys.id, id))
        }
        await tx.insert(apiKeys).values(key)
        return { entity: 'key', id: key.id }
      })
    },

    /** Revokes a key; one that was revoked before stays as it was. */
    async revoke(
      place: EndpointPlace,
      keyId: string,
      audit: AuditEntry,
      now: Date
    ): Promise<number | null> {
      return await changeUnderLock(orm, { place, audit, now }, async (tx) => {
        await tx
          .update(apiKeys)
          .set({ revokedAt: now })
          .where(
            and(eq(apiKeys.id, keyId), eq(apiKeys.endpointId, place.id), isNull(apiKeys.revokedAt))
          )
        return { entity: 'key', id: keyId }
      })
    },

    async recordReveal(audit: AuditEntry, now: Date): Promise<void> {
      await orm.transaction((tx) => appendAudit(tx, audit, now))
    }
  }
}

/** A chain that a live endpoint uses cannot be removed, so the join loses none. */
function selectEndpoints(on: Queryable) {
  return on
    .select({ endpoint: endpoints, chainName: chains.name })
    .from(endpoints)
    .innerJoin(chains, eq(chains.id, endpoints.chainId))
    .$dynamic()
}

async function loadKeys(
  on: Queryable,
  endpointIds: readonly string[],
  endedSince: Date
): Promise<ApiKeyRow[]> {
  if (endpointIds.length === 0) return []
  const { endpointId, revokedAt, expiresAt, id } = apiKeys
  // By when they ended; those that have not ended, or not yet, come first.
  const ended = sql`LEAST(COALESCE(${revokedAt}, '9999-01-01'), COALESCE(${expiresAt}, '9999-01-01'))`
  const ranked = on
    .select({
      id,
      place:
        sql<number>`ROW_NUMBER() OVER (PARTITION BY ${endpointId} ORDER BY ${ended} DESC, ${id} DESC)`.as(
          'place'
        )
    })
    .from(apiKeys)
    .where(and(inArray(endpointId, [...endpointIds]), isLive(endedSince)))
    .as('ranked')
  const rows = await on
    .select({ key: apiKeys })
    .from(apiKeys)
    .innerJoin(ranked, eq(ranked.id, id))
    .where(lte(ranked.place, shownKeysMax))
    .orderBy(asc(id))
  return rows.map(({ key }) => key)
}

function isAt({ orgId, id }: EndpointPlace) {
  return and(eq(endpoints.id, id), eq(endpoints.orgId, orgId), isNull(endpoints.deletedAt))
}

/** Not ended by a moment. */
function isLive(at: Date) {
  return and(
    or(isNull(apiKeys.revokedAt), gt(apiKeys.revokedAt, at)),
    or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, at))
  )
}
