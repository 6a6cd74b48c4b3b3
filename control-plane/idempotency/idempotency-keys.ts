// Idempotency-Key on routes that create something (draft-ietf-httpapi-idempotency-key-header): within 24 hours the same
// key gets the same answer, whatever became of the first one on its way to the client. Answers are kept
// sealed, without the secrets in them, and shown only to who may do the same now (KeptAnswers). What fails with 4xx changed nothing and frees its key. What was cut off, or failed
// with 5xx, may have happened: it is never done again in silence, its key answers `idempotency_outcome_unknown`.
import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../clock.ts'
import { durations } from '../config.ts'
import { Failure } from '../errors.ts'
import { type App, actorOf } from '../http/app-type.ts'
import type { IdempotencyRepo, KeyOfUser } from './repo.ts'

/** No request takes longer; one that is still open then was cut off. */
const inFlightMs = 60_000

export interface IdempotencyDeps {
  repo: IdempotencyRepo
  clock: Clock
  /** Bound to the user and the key. */
  secretBox: {
    seal(plain: string, context: string): Buffer
    open(box: Buffer, context: string): string
  }
}

export function registerIdempotencyKeys(app: App, deps: IdempotencyDeps): void {
  const { repo, secretBox } = deps
  const claimed = new WeakMap<FastifyRequest, KeyOfUser>()

  app.addHook('preHandler', async (request, reply) => {
    const key = readKey(request)
    if (key === null) return
    const owner = { userId: actorOf(request).userId, key }
    const answer = await claim(deps, owner, hashOf(request))
    if (answer === null) {
      claimed.set(request, owner)
      return
    }
    reply.header('idempotency-replayed', 'true')
    return sendAgain(reply, await restore(request, answer))
  })

  app.addHook('onSend', async (request, reply, payload) => {
    const owner = claimed.get(request)
    if (owner === undefined) return payload
    claimed.delete(request)
    const { statusCode } = reply
    try {
      if (statusCode < 300) {
        await repo.complete(
          owner,
          statusCode,
          secretBox.seal(strip(request, String(payload)), contextOf(owner))
        )
      } else if (statusCode < 500) await repo.release(owner)
    } catch (error) {
      // The request itself is done, and its answer must not be lost with the note of it.
      request.log.error({ err: error }, 'the answer to an Idempotency-Key was not kept')
    }
    return payload
  })
}

interface KeptAnswer {
  statusCode: number
  body: string
}

/** Null for the first request with a key; the kept answer for one that repeats it. Throws a failure for the rest. */
async function claim(
  { repo, clock, secretBox }: IdempotencyDeps,
  owner: KeyOfUser,
  requestHash: Buffer
): Promise<KeptAnswer | null> {
  const now = clock()
  const keptSince = new Date(now.getTime() - durations.idempotencyKey)
  const row = await repo.claim(owner, requestHash, now, keptSince)
  if (row === null) return null
  if (!row.requestHash.equals(requestHash)) throw new Failure('idempotency_key_reused')
  if (row.statusCode === null || row.answer === null) {
    const isOpen = now.getTime() - row.createdAt.getTime() < inFlightMs
    if (isOpen) throw new Failure('idempotency_in_flight', { retryAfterSeconds: 1 })
    throw new Failure('idempotency_outcome_unknown', {
      detail: 'Look whether it took effect; if not, send it again with a new key.'
    })
  }
  return { statusCode: row.statusCode, body: secretBox.open(row.answer, contextOf(owner)) }
}

function strip(request: FastifyRequest, body: string): string {
  const { idempotent } = request.routeOptions.config
  return typeof idempotent === 'object' ? JSON.stringify(idempotent.strip(JSON.parse(body))) : body
}

async function restore(request: FastifyRequest, answer: KeptAnswer): Promise<KeptAnswer> {
  const { idempotent } = request.routeOptions.config
  if (typeof idempotent !== 'object') return answer
  const body = await idempotent.restore(request, JSON.parse(answer.body))
  return { ...answer, body: JSON.stringify(body) }
}

function sendAgain(reply: FastifyReply, { statusCode, body }: KeptAnswer): FastifyReply {
  return reply.code(statusCode).type('application/json; charset=utf-8').send(body)
}

/** Null when the route takes none, or the request has none. */
function readKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key']
  if (request.routeOptions.config.idempotent === undefined || key === undefined) return null
  if (typeof key === 'string' && /^[\x21-\x7e]{1,64}$/.test(key)) return key
  throw new Failure('validation_failed', {
    errors: [
      {
        in: 'header',
        pointer: '#/idempotency-key',
        detail: 'must be 1 to 64 visible ASCII characters'
      }
    ]
  })
}

function hashOf(request: FastifyRequest): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([request.method, request.url, request.body ?? null]))
    .digest()
}

function contextOf({ userId, key }: KeyOfUser): string {
  return `${userId} ${key}`
}
