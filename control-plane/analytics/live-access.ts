// Whether those who watch still may: asked every few seconds, for all of them at once.
import type { AuthService } from '../auth/service.ts'
import type { OrgService } from '../orgs/service.ts'
import type { Viewer } from './live-streams.ts'

export interface LiveAccessDeps {
  auth: Pick<AuthService, 'loadRights'>
  orgs: Pick<OrgService, 'filterAllowed'>
}

/** Answers with those whose session has not ended and who may still read the usage of their org. */
export function createLiveAccess({ auth, orgs }: LiveAccessDeps) {
  return async (viewers: readonly Viewer[]): Promise<Viewer[]> => {
    if (viewers.length === 0) return []
    const rights = await auth.loadRights(viewers.map(({ sessionId }) => sessionId))
    const present = viewers.flatMap((viewer) => {
      const { orgId, userId, sessionId } = viewer
      const right = rights.get(sessionId)
      return right === undefined ? [] : [{ viewer, orgId, userId, ...right }]
    })
    const allowed = await orgs.filterAllowed(present, 'usage.read')
    return allowed.map(({ viewer }) => viewer)
  }
}
