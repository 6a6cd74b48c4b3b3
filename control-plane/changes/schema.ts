// Shapes of changes on the wire, and what the route promises.
import Type, { type Static } from 'typebox'
import { moment, nullable } from '../http/fields.ts'
import type { ChangeState } from './service.ts'

const changeSchema = Type.Object(
  {
    id: Type.Integer(),
    created_at: moment('when the change was made'),
    entity: Type.String({ description: 'key, endpoint, org, chain or upstream' }),
    effective: Type.Boolean({
      description: 'whether every gateway that runs has applied it; false while none reports'
    }),
    effective_at: nullable(moment('when the last of them did')),
    applied: Type.Integer({ description: 'how many of them have' }),
    gateways: Type.Array(
      Type.Object({
        node_id: Type.String({
          description: 'its NODE_ID for the operator; gateway-1, gateway-2 … for everybody else'
        }),
        applied: Type.Boolean(),
        applied_at: nullable(moment('when the gateway had it in force on all its threads'))
      }),
      { description: 'the gateways that reported within the last 10 seconds' }
    )
  },
  { title: 'Change' }
)

export function presentChange(state: ChangeState): Static<typeof changeSchema> {
  const { change, gateways, effectiveAt } = state
  return {
    id: change.id,
    created_at: change.createdAt.toISOString(),
    entity: change.entity,
    effective: effectiveAt !== null,
    effective_at: effectiveAt?.toISOString() ?? null,
    applied: gateways.filter((gateway) => gateway.applied).length,
    gateways: gateways.map(({ nodeId, applied, appliedAt }) => ({
      node_id: nodeId,
      applied,
      applied_at: appliedAt?.toISOString() ?? null
    }))
  }
}

export const readChangeRoute = {
  operationId: 'readChange',
  summary: 'Read whether a change is in force on every gateway',
  description:
    'Every answer that changes what gateways do has a `change_id`: ask with it until the change is in force.',
  tags: ['changes'],
  params: Type.Object({
    change: Type.Integer({ minimum: 1, description: 'a change_id' })
  }),
  response: { 200: changeSchema }
}
