// Shapes of chains and upstreams on the wire, and what each route promises.
import Type, { type Static } from 'typebox'
import { changeId, idParam, label, moment } from '../http/fields.ts'
import { pageOf, pageQuery } from '../http/page.ts'
import { methodWeight } from '../limits.ts'
import type { ChainView, UpstreamView } from './service.ts'

const closed = { additionalProperties: false }
const chainParam = { chain: idParam('a chain, by id or by name') }
const params = Type.Object(chainParam)
const upstreamParams = Type.Object({ ...chainParam, upstream: idParam('an upstream') })
const tags = ['chains']

const name = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
  description: 'a name of 1 to 63 characters: a to z, 0 to 9 and -, not first'
})

const kind = Type.Union([Type.Literal('evm'), Type.Literal('jsonrpc'), Type.Literal('rest')], {
  description: 'evm and jsonrpc bodies are charged by method; rest requests pass as they are'
})

const methodWeights = Type.Record(Type.String({ pattern: '^[\\x21-\\x7e]{1,64}$' }), methodWeight, {
  additionalProperties: false,
  maxProperties: 500,
  description: 'cost per call by method name, 0 for free; a method that is not here costs 1'
})

const upstreamName = label('what you call the node')
const url = Type.String({
  minLength: 1,
  maxLength: 2048,
  description:
    'http or https URL of the node, with its key or with credentials (https://user:password@host/, sent as HTTP Basic authentication); stored sealed, and only its origin is shown again'
})

const upstreamFields = {
  id: Type.String(),
  name: Type.String(),
  url: Type.String({ description: 'scheme and host only' }),
  created_at: moment('when it was added'),
  updated_at: moment('when it was last changed')
}
const upstreamSchema = Type.Object(upstreamFields, { title: 'Upstream' })

const chainFields = {
  id: Type.String(),
  name: Type.String(),
  kind: Type.String(),
  method_weights: Type.Record(Type.String(), Type.Integer()),
  upstreams: Type.Optional(
    Type.Array(upstreamSchema, { description: 'only the operator sees them' })
  ),
  created_at: moment('when it was added'),
  updated_at: moment('when it was last changed')
}
const chainSchema = Type.Object(chainFields, { title: 'Chain' })
const changedChain = Type.Object({ ...chainFields, change_id: changeId }, { title: 'ChangedChain' })
const changedUpstream = Type.Object(
  { ...upstreamFields, change_id: changeId },
  { title: 'ChangedUpstream' }
)
const removed = Type.Object({ id: Type.String(), change_id: changeId }, { title: 'Removed' })

export function presentUpstream(node: UpstreamView): Static<typeof upstreamSchema> {
  return {
    id: node.id,
    name: node.name,
    url: node.publicUrl,
    created_at: node.createdAt.toISOString(),
    updated_at: node.updatedAt.toISOString()
  }
}

export function presentChain({ chain, upstreams }: ChainView): Static<typeof chainSchema> {
  return {
    id: chain.id,
    name: chain.name,
    kind: chain.kind,
    method_weights: chain.methodWeights,
    ...(upstreams === null ? {} : { upstreams: upstreams.map(presentUpstream) }),
    created_at: chain.createdAt.toISOString(),
    updated_at: chain.updatedAt.toISOString()
  }
}

export const listChainsRoute = {
  operationId: 'listChains',
  summary: 'List the chains that can be called',
  description: 'In pages, for everybody who is signed in.',
  tags,
  querystring: pageQuery,
  response: { 200: pageOf(chainSchema) }
}

export const readChainRoute = {
  operationId: 'readChain',
  summary: 'Read a chain',
  description: 'By its name, for everybody who is signed in.',
  tags,
  params,
  response: { 200: chainSchema }
}

export const createChainRoute = {
  operationId: 'createChain',
  summary: 'Add a chain, with its upstreams (operator)',
  description: 'For the operator. The chain can be called when it has an upstream.',
  tags,
  body: Type.Object(
    {
      name,
      kind,
      method_weights: Type.Optional(methodWeights),
      upstreams: Type.Optional(
        Type.Array(Type.Object({ name: upstreamName, url }, closed), { maxItems: 50 })
      )
    },
    closed
  ),
  response: { 201: changedChain }
}

export const updateChainRoute = {
  operationId: 'updateChain',
  summary: 'Rename a chain or set its method weights (operator)',
  description:
    'For the operator. Only the fields that are named change; method weights are set as a whole.',
  tags,
  params,
  body: Type.Object(
    { name: Type.Optional(name), method_weights: Type.Optional(methodWeights) },
    { ...closed, minProperties: 1 }
  ),
  response: { 200: changedChain }
}

export const deleteChainRoute = {
  operationId: 'deleteChain',
  summary: 'Remove a chain that no endpoint uses (operator)',
  description: 'For the operator. A chain that an endpoint is on stays.',
  tags,
  params,
  response: { 200: removed }
}

export const createUpstreamRoute = {
  operationId: 'createUpstream',
  summary: 'Add an upstream to a chain (operator)',
  description: 'For the operator.',
  tags,
  params,
  body: Type.Object({ name: upstreamName, url }, closed),
  response: { 201: changedUpstream }
}

export const updateUpstreamRoute = {
  operationId: 'updateUpstream',
  summary: 'Rename an upstream or change its URL (operator)',
  description: 'For the operator. Only the fields that are named change.',
  tags,
  params: upstreamParams,
  body: Type.Object(
    { name: Type.Optional(upstreamName), url: Type.Optional(url) },
    { ...closed, minProperties: 1 }
  ),
  response: { 200: changedUpstream }
}

export const deleteUpstreamRoute = {
  operationId: 'deleteUpstream',
  summary: 'Remove an upstream (operator)',
  description: 'For the operator. This cannot be undone.',
  tags,
  params: upstreamParams,
  response: { 200: removed }
}
