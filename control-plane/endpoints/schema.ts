// Shapes of endpoints and api keys on the wire, and what each route promises.
import Type, { type Static } from 'typebox'
import { changeId, idParam, label, moment, nullable } from '../http/fields.ts'
import { pageOf, pageQuery } from '../http/page.ts'
import { limitChange, limitFields, presentLimits } from '../limits.ts'
import type { ApiKeyRow } from './repo.ts'
import { type RevealedKey, type ShownEndpoint, stateOf } from './service.ts'

const closed = { additionalProperties: false }
const tags = ['endpoints']
const orgParam = { org: idParam('an org') }
const params = Type.Object({ ...orgParam, endpoint: idParam('an endpoint') })
const keyParams = Type.Object({ ...params.properties, key: idParam('an api key') })
const name = label('what you call the endpoint')

// No uniqueItems: the validator's cost for it is quadratic. Doubles are found in restrictions.ts, after the length is.
const listOf = (item: ReturnType<typeof Type.String>, description: string) =>
  nullable(Type.Array(item, { minItems: 1, maxItems: 100, description }))

const restrictionFields = {
  allowed_methods: listOf(
    Type.String({ pattern: '^[\\x21-\\x7e]{1,64}$', description: 'a method name' }),
    'the only methods that may be called; null is any'
  ),
  allowed_origins: listOf(
    Type.String({ maxLength: 255 }),
    'origins of the web pages that may call; null is any, and callers that are no web page'
  ),
  allowed_ips: listOf(
    Type.String({ maxLength: 43 }),
    'addresses or CIDR blocks that may call; null is any'
  )
}

const restrictionChange = {
  allowed_methods: Type.Optional(restrictionFields.allowed_methods),
  allowed_origins: Type.Optional(restrictionFields.allowed_origins),
  allowed_ips: Type.Optional(restrictionFields.allowed_ips)
}

const keyFields = {
  id: Type.String(),
  prefix: Type.String({ description: 'how the secret begins' }),
  last4: Type.String({ description: 'how it ends' }),
  secret: Type.Optional(
    Type.String({ description: 'only where the key was just created or is revealed' })
  ),
  status: Type.String({ description: 'active, revoked or expired' }),
  created_at: moment('when the key was created'),
  expires_at: nullable(moment('when it stops by itself')),
  revoked_at: nullable(moment('when it was revoked')),
  last_used_at: nullable(moment('when a gateway last saw it, a minute late at most'))
}
const keySchema = Type.Object(keyFields, { title: 'ApiKey' })

const revealedKey = Type.Object(
  {
    ...keyFields,
    secret: Type.String(),
    url: Type.String({ description: 'where to send calls, with the secret in it' })
  },
  { title: 'RevealedKey' }
)

const endpointFields = {
  id: Type.String(),
  name: Type.String(),
  chain: Type.String(),
  url: Type.String({
    description:
      'where to send calls, with the secret of the newest key in it; its middle is … wherever a secret is not shown'
  }),
  ...limitFields,
  ...restrictionFields,
  status: Type.String({ description: 'active or paused' }),
  keys: Type.Array(keySchema),
  created_at: moment('when the endpoint was created'),
  updated_at: moment('when it was last changed')
}

const endpointSchema = Type.Object(endpointFields, { title: 'Endpoint' })
const changedEndpoint = Type.Object(
  { ...endpointFields, change_id: changeId },
  { title: 'ChangedEndpoint' }
)

export function presentEndpoint(
  { view, shown, now }: ShownEndpoint,
  rpcUrl: string
): Static<typeof endpointSchema> {
  const { endpoint, chainName, keys } = view
  const newest = keys.findLast((key) => stateOf(key, now) === 'active') ?? keys.at(-1)
  return {
    id: endpoint.id,
    name: endpoint.name,
    chain: chainName,
    url: shown === null ? maskedUrl(rpcUrl, newest) : `${rpcUrl}/api=${shown.secret}`,
    ...presentLimits(endpoint),
    allowed_methods: endpoint.allowedMethods,
    allowed_origins: endpoint.allowedOrigins,
    allowed_ips: endpoint.allowedIps,
    status: endpoint.status,
    keys: keys.map((key) => ({
      ...presentKey(key, now),
      ...(shown?.keyId === key.id ? { secret: shown.secret } : {})
    })),
    created_at: endpoint.createdAt.toISOString(),
    updated_at: endpoint.updatedAt.toISOString()
  }
}

/** Where to send calls, with the middle of the secret left out. */
export function maskedUrl(
  rpcUrl: string,
  key: Pick<ApiKeyRow, 'prefix' | 'last4'> | undefined
): string {
  return `${rpcUrl}/api=${key === undefined ? '…' : `${key.prefix}…${key.last4}`}`
}

export function presentRevealed(
  { key, secret, now }: RevealedKey,
  rpcUrl: string
): Static<typeof revealedKey> {
  return { ...presentKey(key, now), secret, url: `${rpcUrl}/api=${secret}` }
}

function presentKey(key: ApiKeyRow, now: Date) {
  return {
    id: key.id,
    prefix: key.prefix,
    last4: key.last4,
    status: stateOf(key, now),
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null
  }
}

export const listEndpointsRoute = {
  operationId: 'listEndpoints',
  summary: 'List the endpoints of an org',
  description: 'The oldest first, each with its api keys, without their secrets.',
  tags,
  params: Type.Object(orgParam),
  querystring: pageQuery,
  response: { 200: pageOf(endpointSchema) }
}

export const createEndpointRoute = {
  operationId: 'createEndpoint',
  summary: 'Create an endpoint with its first api key',
  description:
    'Needs a verified email address. The secret of the key is shown here; later only reveal shows it.',
  tags,
  params: Type.Object(orgParam),
  body: Type.Object(
    {
      name,
      chain: Type.String({ pattern: '^[a-z0-9_-]{1,64}$', description: 'the name of a chain' }),
      ...limitChange,
      ...restrictionChange
    },
    closed
  ),
  response: { 201: changedEndpoint }
}

export const readEndpointRoute = {
  operationId: 'readEndpoint',
  summary: 'Read an endpoint',
  description:
    'With its api keys, without their secrets. Keys that have ended are shown for 30 days.',
  tags,
  params,
  response: { 200: endpointSchema }
}

export const updateEndpointRoute = {
  operationId: 'updateEndpoint',
  summary: 'Rename, limit, restrict, pause or resume an endpoint',
  description:
    'Only the fields that are named change. A burst that was left at its default follows the rate.',
  tags,
  params,
  body: Type.Object(
    {
      name: Type.Optional(name),
      status: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('paused')])),
      ...limitChange,
      ...restrictionChange
    },
    { ...closed, minProperties: 1 }
  ),
  response: { 200: changedEndpoint }
}

export const deleteEndpointRoute = {
  operationId: 'deleteEndpoint',
  summary: 'Delete an endpoint: its keys stop',
  description: 'This cannot be undone.',
  tags,
  params,
  response: {
    200: Type.Object({ id: Type.String(), change_id: changeId }, { title: 'DeletedEndpoint' })
  }
}

export const rotateRoute = {
  operationId: 'rotateKey',
  summary: 'Make a new api key in place of the live ones',
  description:
    'The old keys go on working for overlap_seconds, 0 being not at all, but never beyond their own expiry.',
  tags,
  params,
  body: Type.Object({ overlap_seconds: Type.Integer({ minimum: 0, maximum: 604_800 }) }, closed),
  response: { 200: changedEndpoint }
}

export const revokeRoute = {
  operationId: 'revokeKey',
  summary: 'Revoke one api key',
  description: 'The other keys of the endpoint go on working. This cannot be undone.',
  tags,
  params: keyParams,
  response: { 200: changedEndpoint }
}

export const revealRoute = {
  operationId: 'revealKey',
  summary: 'Show the secret of an api key again',
  description: 'Written to the audit log. The operator of the service can switch it off.',
  tags,
  params: keyParams,
  response: { 200: revealedKey }
}
