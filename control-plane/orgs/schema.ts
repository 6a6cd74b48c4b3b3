// Shapes of orgs on the wire, and what each route promises.
import Type, { type Static } from 'typebox'
import { changeId, idParam, label, moment, nullable } from '../http/fields.ts'
import { pageOf, pageQuery } from '../http/page.ts'
import { limitChange, limitFields, presentLimits } from '../limits.ts'
import type { OrgView } from './repo.ts'

const closed = { additionalProperties: false }
const params = Type.Object({ org: idParam('an org') })

const fields = {
  id: Type.String(),
  name: Type.String(),
  role: nullable(
    Type.String({ description: 'yours: owner, admin or member; null when you are no member' })
  ),
  ...limitFields,
  created_at: moment('when the org was created'),
  updated_at: moment('when it was last changed')
}

export const orgSchema = Type.Object(fields, { title: 'Org' })

export function presentOrg(org: OrgView): Static<typeof orgSchema> {
  return {
    id: org.id,
    name: org.name,
    role: org.role,
    ...presentLimits(org),
    created_at: org.createdAt.toISOString(),
    updated_at: org.updatedAt.toISOString()
  }
}

export const listOrgsRoute = {
  operationId: 'listOrgs',
  summary: 'List orgs',
  tags: ['orgs'],
  querystring: Type.Object(
    {
      ...pageQuery.properties,
      scope: Type.Optional(
        Type.Union([Type.Literal('mine'), Type.Literal('all')], {
          description: 'mine unless told; all is for the operator'
        })
      )
    },
    closed
  ),
  response: { 200: pageOf(orgSchema) }
}

export const createOrgRoute = {
  operationId: 'createOrg',
  summary: 'Create an org',
  tags: ['orgs'],
  body: Type.Object({ name: label('the name of the org') }, closed),
  response: { 201: orgSchema }
}

export const readOrgRoute = {
  operationId: 'readOrg',
  summary: 'Read an org',
  tags: ['orgs'],
  params,
  response: { 200: orgSchema }
}

export const updateOrgRoute = {
  operationId: 'updateOrg',
  summary: 'Rename an org, or set its limits',
  description:
    'Owners and admins rename. The operator sets limits, which all endpoints of the org share.',
  tags: ['orgs'],
  params,
  body: Type.Object(
    { name: Type.Optional(label('the name of the org')), ...limitChange },
    { ...closed, minProperties: 1 }
  ),
  response: { 200: Type.Object({ ...fields, change_id: changeId }, { title: 'ChangedOrg' }) }
}
