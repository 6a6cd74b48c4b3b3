// What a request carries beyond Fastify's own: who asks, and what its route promises.

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault
} from 'fastify'
import { clientBlockOf } from '../../drizzle/address-block.ts'
import type { FailureCode } from '../errors.ts'
import { clientAddressOf } from './client-address.ts'

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Where a request comes from: what the audit log and a session keep of it. */
export interface Caller {
  ip: string
  /** What counts as one client: an IPv4 address, or the /64 of an IPv6 one. */
  addressBlock: string
  /** Made here, so that nobody chooses what stands in the audit log. */
  requestId: string
  /** The client's own, which its answer and its log lines carry; null when it sent none. */
  clientRequestId: string | null
  userAgent: string | null
}

/** A caller with a valid access token, as the database knows the user at this moment. */
export interface Actor extends Caller {
  userId: string
  sessionId: string
  /** What goes on after its request, such as a stream, ends then. */
  tokenExpiresAt: Date
  isOperator: boolean
  isEmailVerified: boolean
}

/** For answers that hold secrets, or that not everybody may see who could make the request once. */
export interface KeptAnswers {
  /** What of an answer is kept. */
  strip(body: unknown): unknown
  /** What a repeated request gets of what was kept. Throws a failure where the caller may see nothing any more. */
  restore(request: FastifyRequest, kept: unknown): Promise<unknown>
}

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor | null
    /** The id that was made here: that of the request, unless the client sent one. */
    ownId: string
    /** What the request was refused for; null while it was not. */
    failureCode: FailureCode | null
  }
  interface FastifyContextConfig {
    /** Who may call a route of `/v1`. There is no default: a route without it does not start. */
    access?: 'public' | 'user' | 'operator'
    /** Whether the route creates something and takes an Idempotency-Key, and how its answer is kept. */
    idempotent?: true | KeptAnswers
  }
}

export function callerOf(request: FastifyRequest): Caller {
  const ip = clientAddressOf(request)
  return {
    ip,
    addressBlock: clientBlockOf(ip),
    requestId: request.ownId,
    clientRequestId: request.ownId === request.id ? null : request.id,
    userAgent: request.headers['user-agent']?.slice(0, 255) ?? null
  }
}

/** The actor of a route whose access is not `public`. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.actor === null) throw new Error(`${request.routeOptions.url} has no actor`)
  return request.actor
}
