// What the audit log keeps of an act: who did what to what, from where, in which request. Secrets never go into it.
import type { Actor, Caller } from '../http/app-type.ts'

export type AuditAction =
  | 'user.register'
  | 'user.update'
  | 'user.verify_email'
  | 'user.reset_password'
  | 'user.request_reset'
  | 'user.request_verification'
  | 'user.refuse_token'
  | 'user.promote'
  | 'operator.refuse'
  | 'session.create'
  | 'session.refuse'
  | 'session.end'
  | 'session.reuse_detected'
  | 'org.create'
  | 'org.update'
  | 'org.suspend'
  | 'org.resume'
  | 'endpoint.create'
  | 'endpoint.update'
  | 'endpoint.delete'
  | 'key.rotate'
  | 'key.revoke'
  | 'key.reveal'
  | 'chain.create'
  | 'chain.update'
  | 'chain.delete'
  | 'upstream.create'
  | 'upstream.update'
  | 'upstream.delete'

export interface AuditEntry {
  action: AuditAction
  userId: string | null
  orgId: string | null
  targetId: string | null
  ip: string | null
  requestId: string
  detail: Record<string, unknown>
}

export interface AuditTarget {
  orgId?: string
  targetId: string | null
  detail?: Record<string, unknown>
}

/** The entry for an act of somebody who is logged in. */
export function actOf(actor: Actor, action: AuditAction, target: AuditTarget): AuditEntry {
  return actBy(actor.userId, actor, action, target)
}

/** The entry for an act of a user who proves who they are in this very request, or for one that concerns their account. */
export function actBy(
  userId: string | null,
  caller: Caller,
  action: AuditAction,
  { orgId, targetId, detail = {} }: AuditTarget
): AuditEntry {
  const { ip, requestId, clientRequestId } = caller
  const kept = clientRequestId === null ? detail : { ...detail, client_request_id: clientRequestId }
  return { action, userId, orgId: orgId ?? null, targetId, ip, requestId, detail: kept }
}
