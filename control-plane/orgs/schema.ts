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
  status: Type.String({
    description:
      'active, or suspended by the operator: its keys open nothing, its members change nothing'
  }),
  owners: nullable(
    Type.Array(Type.Object({ id: Type.String(), email: Type.String() }), {
      description: 'for the operator; null for everybody else'
    })
  ),
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
    status: org.suspendedAt === null ? 'active' : 'suspended',
    owners: org.owners === null ? null : [...org.owners],
    created_at: org.createdAt.toISOString(),
    updated_at: org.updatedAt.toISOString()
  }
}

const changedOrg = Type.Object({ ...fields, change_id: changeId }, { title: 'ChangedOrg' })

export const listOrgsRoute = {
  operationId: 'listOrgs',
  summary: 'List orgs',
  description: 'Those you belong to, the oldest first. The operator can ask for all.',
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
  description:
    'You become its owner. It begins with the limits that the operator chose for new orgs, and one user may own only so many.',
  tags: ['orgs'],
  body: Type.Object({ name: label('the name of the org') }, closed),
  response: { 201: orgSchema }
}

export const readOrgRoute = {
  operationId: 'readOrg',
  summary: 'Read an org',
  description: 'For its members, and the operator.',
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
  response: { 200: changedOrg }
}

export const suspendOrgRoute = {
  operationId: 'suspendOrg',
  summary: 'Suspend an org: its keys stop',
  description:
    'For the operator. Calls with its keys are refused as endpoint_disabled; members read on, and change nothing.',
  tags: ['orgs'],
  params,
  response: { 200: changedOrg }
}

export const resumeOrgRoute = {
  operationId: 'resumeOrg',
  summary: 'Resume an org that was suspended',
  description: 'For the operator. Its keys open what they opened before.',
  tags: ['orgs'],
  params,
  response: { 200: changedOrg }
}
