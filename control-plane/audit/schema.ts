// Shapes of the audit log on the wire, and what each route promises.
import Type, { type Static } from 'typebox'
import { idParam, moment, nullable } from '../http/fields.ts'
import { pageOf, pageQuery } from '../http/page.ts'
import type { AuditRow } from './repo.ts'

const closed = { additionalProperties: false }

const entrySchema = Type.Object(
  {
    id: Type.String(),
    action: Type.String({ description: 'such as `key.rotate` or `session.refuse`' }),
    org_id: nullable(Type.String({ description: 'null for what concerns an account or all orgs' })),
    user_id: nullable(
      Type.String({
        description: 'who did it, or whose account it concerns; null for an address without one'
      })
    ),
    user_email: nullable(
      Type.String({ description: 'in the log of an org: null for who is no member (any more)' })
    ),
    target_id: nullable(Type.String({ description: 'what it was done to' })),
    ip: nullable(
      Type.String({ description: 'where from; null in the log of an org for who is no member' })
    ),
    request_id: Type.String({ description: 'made by the server, and in its log' }),
    detail: Type.Unknown({
      description: 'an object; `client_request_id` is the X-Request-Id that the client sent'
    }),
    created_at: moment('when it was done')
  },
  { title: 'AuditEntry' }
)

export function presentEntry(row: AuditRow): Static<typeof entrySchema> {
  return {
    id: row.id,
    action: row.action,
    org_id: row.orgId,
    user_id: row.userId,
    user_email: row.userEmail,
    target_id: row.targetId,
    ip: row.ip,
    request_id: row.requestId,
    detail: row.detail,
    created_at: row.createdAt.toISOString()
  }
}

const action = Type.Optional(
  Type.String({ pattern: '^[a-z_.]{1,64}$', description: 'an action, such as key.rotate' })
)
const tags = ['audit']
const response = { 200: pageOf(entrySchema) }

export const orgAuditLogRoute = {
  operationId: 'listOrgAuditLog',
  summary: 'Read what was done in an org',
  description: 'The newest first. For owners and admins of the org, and the operator.',
  tags,
  params: Type.Object({ org: idParam('an org') }),
  querystring: Type.Object({ ...pageQuery.properties, action }, closed),
  response
}

export const myAuditLogRoute = {
  operationId: 'listMyAuditLog',
  summary: 'Read what happened to your account',
  description:
    'The newest first: sign-ins and those that were refused, mails that were asked for, new passwords.',
  tags,
  querystring: pageQuery,
  response
}

export const auditLogRoute = {
  operationId: 'listAuditLog',
  summary: 'Read the audit log of the installation',
  description: 'The newest first. For the operator.',
  tags,
  querystring: Type.Object(
    {
      ...pageQuery.properties,
      action,
      org: Type.Optional(idParam('the id of an org')),
      user: Type.Optional(idParam('the id of a user'))
    },
    closed
  ),
  response
}
