// The SQL of changes and of the gateways that have applied them.
import { eq, gt } from 'drizzle-orm'
import type { Database } from '../../drizzle/client.ts'
import { changeApplications, changeLog, gatewayNodes } from '../../drizzle/schema/changes.ts'

export type ChangeRow = typeof changeLog.$inferSelect
export type GatewayRow = typeof gatewayNodes.$inferSelect
export type ApplicationRow = typeof changeApplications.$inferSelect
export type ChangeRepo = ReturnType<typeof createChangeRepo>

export function createChangeRepo({ orm }: Pick<Database, 'orm'>) {
  return {
    async load(id: number): Promise<ChangeRow | null> {
      const [row] = await orm.select().from(changeLog).where(eq(changeLog.id, id))
      return row ?? null
    },

    async loadApplications(changeId: number): Promise<ApplicationRow[]> {
      return await orm
        .select()
        .from(changeApplications)
        .where(eq(changeApplications.changeId, changeId))
    },

    async loadGateways(seenSince: Date): Promise<GatewayRow[]> {
      return await orm
        .select()
        .from(gatewayNodes)
        .where(gt(gatewayNodes.seenAt, seenSince))
        .orderBy(gatewayNodes.nodeId)
    }
  }
}
