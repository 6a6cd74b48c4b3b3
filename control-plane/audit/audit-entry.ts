// What the audit log keeps of an act: who did what to what, from where, in which request. Secrets never go into it.
import type { Actor, Caller } from '../http/app-type.ts'

export type AuditAction =
  | 'user.register'
  | 'user.update'
  | 'user.verify_email'
  | 'user.reset_password'
  | 'user.promote'
  | 'session.create'
  | 'session.end'
  | 'session.reuse_detected'
  | 'org.create'
  | 'org.update'
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
  targetId: string
  detail?: Record<string, unknown>
}

/** The entry for an act of somebody who is logged in. */
export function actOf(actor: Actor, action: AuditAction, target: AuditTarget): AuditEntry {
  return actBy(actor.userId, actor, action, target)
}

/** The entry for an act of a user who proves who they are in this very request. */
export function actBy(
  userId: string,
  caller: Caller,
  action: AuditAction,
  { orgId, targetId, detail = {} }: AuditTarget
): AuditEntry {
  const { ip, requestId } = caller
  return { action, userId, orgId: orgId ?? null, targetId, ip, requestId, detail }
}
