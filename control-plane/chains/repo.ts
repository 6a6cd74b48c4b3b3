// The SQL of chains and of the upstream nodes that serve them.
import { and, asc, count, eq, gt, inArray, isNull, or } from 'drizzle-orm'
import { appendChange } from '../../drizzle/change-log.ts'
import { type Database, isDuplicate, type Transaction } from '../../drizzle/client.ts'
import { chains, upstreams } from '../../drizzle/schema/chains.ts'
import { endpoints } from '../../drizzle/schema/endpoints.ts'
import { appendAudit } from '../audit/append-audit.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { PageRequest } from '../http/page.ts'

export type ChainRow = typeof chains.$inferSelect
export type UpstreamRow = typeof upstreams.$inferSelect
export type ChainRepo = ReturnType<typeof createChainRepo>

export function createChainRepo(database: Pick<Database, 'orm'>) {
  return { ...chainStatements(database), ...upstreamStatements(database) }
}

function chainStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    /** By id or by name; a name holds no underscore and an id does. */
    async find(idOrName: string): Promise<ChainRow | null> {
      const [row] = await orm
        .select()
        .from(chains)
        .where(or(eq(chains.id, idOrName), eq(chains.name, idOrName)))
      return row ?? null
    },

    async list({ limit, afterId }: PageRequest): Promise<ChainRow[]> {
      return await orm
        .select()
        .from(chains)
        .where(afterId === null ? undefined : gt(chains.id, afterId))
        .orderBy(asc(chains.id))
        .limit(limit + 1)
    },

    async create(
      chain: ChainRow,
      nodes: readonly UpstreamRow[],
      audit: AuditEntry
    ): Promise<number | 'name_taken'> {
      return await orUnlessTaken(() =>
        orm.transaction(async (tx) => {
          await tx.insert(chains).values(chain)
          if (nodes.length > 0) await tx.insert(upstreams).values([...nodes])
          await appendAudit(tx, audit, chain.createdAt)
          return await announceChain(tx, chain.id)
        })
      )
    },

    async update(
      id: string,
      change: { [Field in 'name' | 'methodWeights']: ChainRow[Field] | undefined },
      audit: AuditEntry,
      now: Date
    ): Promise<number | 'name_taken' | 'gone'> {
      return await orUnlessTaken(() =>
        orm.transaction(async (tx) => {
          const [chain] = await lock(tx, id)
          if (chain === undefined) return 'gone'
          await tx
            .update(chains)
            .set({ ...change, updatedAt: now })
            .where(eq(chains.id, id))
          await appendAudit(tx, audit, now)
          return await announceChain(tx, id)
        })
      )
    },

    /** Removes a chain with its upstreams, unless an endpoint that is not deleted uses it. */
    async remove(id: string, audit: AuditEntry, now: Date): Promise<number | 'in_use' | 'gone'> {
      return await orm.transaction(async (tx) => {
        const [chain] = await lock(tx, id)
        if (chain === undefined) return 'gone'
        const [used] = await tx
          .select({ total: count() })
          .from(endpoints)
          .where(and(eq(endpoints.chainId, id), isNull(endpoints.deletedAt)))
        if ((used?.total ?? 0) > 0) return 'in_use'
        await tx.delete(upstreams).where(eq(upstreams.chainId, id))
        await tx.delete(chains).where(eq(chains.id, id))
        await appendAudit(tx, audit, now)
        return await announceChain(tx, id)
      })
    }
  }
}

function upstreamStatements({ orm }: Pick<Database, 'orm'>) {
  return {
    async loadUpstreams(chainIds: readonly string[]): Promise<UpstreamRow[]> {
      if (chainIds.length === 0) return []
      return await orm
        .select()
        .from(upstreams)
        .where(inArray(upstreams.chainId, [...chainIds]))
        .orderBy(asc(upstreams.id))
    },

    async createUpstream(
      node: UpstreamRow,
      max: number,
      audit: AuditEntry
    ): Promise<number | 'gone' | 'limit_reached'> {
      return await orm.transaction(async (tx) => {
        const [chain] = await lock(tx, node.chainId)
        if (chain === undefined) return 'gone'
        const [present] = await tx
          .select({ total: count() })
          .from(upstreams)
          .where(eq(upstreams.chainId, node.chainId))
        if ((present?.total ?? 0) >= max) return 'limit_reached'
        await tx.insert(upstreams).values(node)
        await appendAudit(tx, audit, node.createdAt)
        return await announceUpstream(tx, node)
      })
    },

    async findUpstream(chainId: string, id: string): Promise<UpstreamRow | null> {
      const [row] = await orm
        .select()
        .from(upstreams)
        .where(and(eq(upstreams.id, id), eq(upstreams.chainId, chainId)))
      return row ?? null
    },

    async updateUpstream(
      node: UpstreamRow,
      change: { [Field in 'name' | 'url']: UpstreamRow[Field] | undefined },
      audit: AuditEntry,
      now: Date
    ): Promise<number | 'gone'> {
      return await orm.transaction(async (tx) => {
        if (!(await lockUpstream(tx, node))) return 'gone'
        await tx
          .update(upstreams)
          .set({ ...change, updatedAt: now })
          .where(eq(upstreams.id, node.id))
        await appendAudit(tx, audit, now)
        return await announceUpstream(tx, node)
      })
    },

    async removeUpstream(
      node: UpstreamRow,
      audit: AuditEntry,
      now: Date
    ): Promise<number | 'gone'> {
      return await orm.transaction(async (tx) => {
        if (!(await lockUpstream(tx, node))) return 'gone'
        await tx.delete(upstreams).where(eq(upstreams.id, node.id))
        await appendAudit(tx, audit, now)
        return await announceUpstream(tx, node)
      })
    }
  }
}

/** Locks the chain, so that it cannot vanish while something is hung on it. */
function lock(tx: Transaction, id: string) {
  return tx.select({ id: chains.id }).from(chains).where(eq(chains.id, id)).for('update')
}

/** Whether it is still there. Of several who change or remove it at once, one after the other. */
async function lockUpstream(tx: Transaction, { id }: UpstreamRow): Promise<boolean> {
  const rows = await tx
    .select({ id: upstreams.id })
    .from(upstreams)
    .where(eq(upstreams.id, id))
    .for('update')
  return rows.length > 0
}

function announceChain(tx: Transaction, chainId: string): Promise<number> {
  return appendChange(tx, { entity: 'chain', entityId: chainId, chainId })
}

function announceUpstream(tx: Transaction, node: UpstreamRow): Promise<number> {
  return appendChange(tx, { entity: 'upstream', entityId: node.id, chainId: node.chainId })
}

async function orUnlessTaken<T>(work: () => Promise<T>): Promise<T | 'name_taken'> {
  try {
    return await work()
  } catch (error) {
    if (isDuplicate(error, 'chains_name')) return 'name_taken'
    throw error
  }
}
