// Whether a change is in force: the proof of a rotation or a revocation. A gateway that runs has applied a change when it
// says so, or when it started after the change was made and so never knew the state before.
import type { Clock } from '../clock.ts'
import { durations } from '../config.ts'
import { Failure } from '../errors.ts'
import type { Actor } from '../http/app-type.ts'
import type { OrgService } from '../orgs/service.ts'
import type { ApplicationRow, ChangeRepo, ChangeRow, GatewayRow } from './repo.ts'

export interface ChangeServiceDeps {
  repo: ChangeRepo
  orgs: Pick<OrgService, 'requireOrg'>
  clock: Clock
}

export interface GatewayState {
  nodeId: string
  applied: boolean
  /** Null when it was not applied. */
  appliedAt: Date | null
}

export interface ChangeState {
  change: ChangeRow
  /** Those that reported lately. */
  gateways: GatewayState[]
  /** When the last of them applied it; null while one has not, or when none reports: then nothing is proved. */
  effectiveAt: Date | null
}

export type ChangeService = ReturnType<typeof createChangeService>

export function createChangeService({ repo, orgs, clock }: ChangeServiceDeps) {
  return {
    /** Throws `not_found` also to who has nothing to do with what was changed. */
    async read(actor: Actor, id: number): Promise<ChangeState> {
      const change = await repo.load(id)
      if (change === null) throw new Failure('not_found')
      if (change.orgId !== null) await orgs.requireOrg(actor, change.orgId, 'org.read')
      else if (!actor.isOperator) throw new Failure('not_found')
      const seenSince = new Date(clock().getTime() - durations.gatewaySilence)
      // Gateways first: an application that is written in between can only make the answer truer.
      const running = await repo.loadGateways(seenSince)
      const applications = await repo.loadApplications(id)
      const states = running.map((gateway) => stateOf(gateway, change, applications))
      const gateways = actor.isOperator ? states : withoutNames(states)
      return { change, gateways, effectiveAt: lastOf(gateways) }
    }
  }
}

/** Names of gateways are host names and ports of the operator's network: no tenant's business. */
function withoutNames(gateways: readonly GatewayState[]): GatewayState[] {
  return gateways
    .toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
    .map((gateway, place) => ({ ...gateway, nodeId: `gateway-${place + 1}` }))
}

function stateOf(
  gateway: GatewayRow,
  change: ChangeRow,
  applications: readonly ApplicationRow[]
): GatewayState {
  const { nodeId, bootId } = gateway
  const own = applications.find((row) => row.nodeId === nodeId && row.bootId === bootId)
  if (own !== undefined) return { nodeId, applied: true, appliedAt: own.appliedAt }
  if (gateway.appliedChangeId < change.id) return { nodeId, applied: false, appliedAt: null }
  // It started later, or the row of its application has been pruned.
  const since = Math.max(gateway.bootedAt.getTime(), change.createdAt.getTime())
  return { nodeId, applied: true, appliedAt: new Date(since) }
}

function lastOf(gateways: readonly GatewayState[]): Date | null {
  let last: Date | null = null
  for (const { appliedAt } of gateways) {
    if (appliedAt === null) return null
    if (last === null || appliedAt > last) last = appliedAt
  }
  return last
}
