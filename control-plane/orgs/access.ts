// Who may do what in an org: one row for each act. The operator is no member: they keep the service in order (limits,
// pausing, revoking) in every org, but secrets, new ones too, are for the members.

export type Role = 'owner' | 'admin' | 'member'

const everybody = ['owner', 'admin', 'member', 'operator'] as const

const acts = {
  'org.read': everybody,
  'org.rename': ['owner', 'admin', 'operator'],
  'org.limit': ['operator'],
  'org.suspend': ['operator'],
  'audit.read': ['owner', 'admin', 'operator'],
  'endpoint.read': everybody,
  'endpoint.write': everybody,
  // Whoever makes a key is shown its secret.
  'key.make': ['owner', 'admin', 'member'],
  'usage.read': everybody,
  'key.reveal': ['owner', 'admin', 'member']
} as const satisfies Record<string, readonly (Role | 'operator')[]>

export type OrgAct = keyof typeof acts

/** @param role null for somebody who is no member. */
export function isAllowed(act: OrgAct, role: Role | null, isOperator: boolean): boolean {
  const allowed: readonly string[] = acts[act]
  return (role !== null && allowed.includes(role)) || (isOperator && allowed.includes('operator'))
}

export function isForOperatorOnly(act: OrgAct): boolean {
  return acts[act].every((who) => who === 'operator')
}

/** What members of a suspended org may go on doing. */
export const isReading = (act: OrgAct): boolean => act.endsWith('.read')
