// The contract for programs and people: OpenAPI 3.1 at /openapi.json, made from the same schemas that judge requests,
// and a reference at /docs. Each route gets what all share here: its problems, its security, its Idempotency-Key.
import { STATUS_CODES } from 'node:http'
import fastifySwagger from '@fastify/swagger'
import scalar from '@scalar/fastify-api-reference'
import type { FastifyReply, FastifySchema, RouteOptions } from 'fastify'
import Type from 'typebox'
import { refreshCookieNameOf } from '../auth/session-cookies.ts'
import type { Config } from '../config.ts'
import type { App } from './app-type.ts'
import { problemSchema } from './problem.ts'
import { createStaticAsset, type StaticAsset } from './static-asset.ts'

const jsonType = 'application/json; charset=utf-8'

/** Scalar starts from an inline script and styles itself inline; it may talk to this origin only. */
const referencePolicy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const description = `Accounts, orgs, endpoints and chains of a Sluice gateway.

Errors are RFC 9457 problems: branch on \`code\`. Lists are paged by cursor. POSTs that create something take an
\`Idempotency-Key\`: the same key within 24 hours gets the same answer. An object of another org is 404.

Log in, send the access token as \`Authorization: Bearer\`, and refresh it with the cookie before its 15 minutes are
over. An account may log in before its email address is verified, but creates endpoints only afterwards.

Usage is counted by gateways and written every few seconds; \`complete_until\` says how far it is complete.`

const tags = {
  auth: 'Registering, logging in and out, verifying an address, resetting a password.',
  me: 'The account of who is logged in.',
  orgs: 'Organisations: their names, limits and audit log.',
  endpoints: 'What callers send JSON-RPC to, and the api keys that open it.',
  usage: 'What endpoints were called for, by minute, hour and day.',
  chains: 'The chains that endpoints can be on, and the nodes that serve them.',
  changes: 'Whether a change is in force on every gateway.',
  audit: 'Who did what, when and from where.'
}

export async function registerDocumentation(
  app: App,
  { config }: { config: Pick<Config, 'portalOrigin'> }
): Promise<void> {
  app.addHook('onRoute', describeRoute)
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sluice',
        description,
        version: '1',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      servers: [{ url: '/', description: 'where this document is served' }],
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          access_token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          refresh_token: { type: 'apiKey', in: 'cookie', name: refreshCookieNameOf(config) }
        }
      }
    },
    transform: ({ schema, url, route }) => ({ schema: forReaders(schema, route), url })
  })
  // Where a person arrives who opens the address in a browser.
  app.get('/', { schema: { hide: true } }, (_request, reply) => reply.redirect('/docs'))
  registerContract(app)
  app.addHook('onRoute', sendScriptOnce)
  await app.register(scalar, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      pageTitle: 'Sluice API',
      withDefaultFonts: false,
      telemetry: false,
      // What is left out talks to, or advertises, services of others.
      hideClientButton: true,
      showDeveloperTools: 'never',
      agent: { disabled: true },
      mcp: { disabled: true }
    },
    hooks: {
      onRequest: (_request, reply, done) => {
        reply.header('content-security-policy', referencePolicy)
        done()
      }
    }
  })
}

/** The document as it is when all routes are known. */
function registerContract(app: App): void {
  let contract: Promise<StaticAsset> | null = null
  app.get('/openapi.json', { schema: { hide: true } }, async (request, reply) => {
    contract ??= createStaticAsset(JSON.stringify(app.swagger()), jsonType, 'no-cache')
    return (await contract).send(request, reply)
  })
}

/** The reference's script is 4.8 MB, which the plugin sends as it is, without a tag, for every request anew. */
function sendScriptOnce(route: RouteOptions): void {
  if (route.url !== '/docs/js/scalar.js') return
  const { handler } = route
  let script: Promise<StaticAsset> | null = null
  route.handler = async function send(request, reply) {
    // The plugin keeps the script to itself: its own handler is asked for it, once.
    let text = ''
    const taker = {
      header: () => taker,
      send(body: string) {
        text = body
      }
    }
    if (script === null) handler.call(this, request, taker as unknown as FastifyReply)
    script ??= createStaticAsset(text, 'application/javascript; charset=utf-8', 'max-age=86400')
    return (await script).send(request, reply)
  }
}

function describeRoute(route: RouteOptions): void {
  if (!route.url.startsWith('/v1/')) return
  const schema = route.schema ?? {}
  route.schema = schema
  schema.response = {
    ...(schema.response as Record<string, unknown>),
    '4xx': problem('The request cannot be served: `code` says why.'),
    '5xx': problem('The service cannot answer now.')
  }
  // Said for public routes too: left out would mean that nobody had thought of it.
  schema.security ??= route.config?.access === 'public' ? [] : [{ access_token: [] }]
}

const problem = (text: string) => ({
  description: text,
  content: { 'application/problem+json': { schema: problemSchema } }
})

/** What is for readers only: headers, and words for the answers that have none of their own. */
function forReaders(schema: FastifySchema, route: RouteOptions): FastifySchema {
  const responses = Object.entries((schema.response ?? {}) as Record<string, object>)
  const response = Object.fromEntries(
    responses.map(([status, answer]) => [
      status,
      'description' in answer
        ? answer
        : { ...answer, 'x-response-description': STATUS_CODES[status] ?? 'Answer' }
    ])
  )
  return route.config?.idempotent !== undefined
    ? { ...schema, response, headers: idempotencyKeyHeader }
    : { ...schema, response }
}

const idempotencyKeyHeader = Type.Object({
  'Idempotency-Key': Type.Optional(
    Type.String({ minLength: 1, maxLength: 64, description: 'a random text, e.g. a UUID' })
  )
})
