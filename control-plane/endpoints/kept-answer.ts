// The answer of a route that makes an api key, as it is kept for a repeated Idempotency-Key: without the secret, which
// stays where reveal keeps it. Whoever repeats the request is asked for their role again, and sees the secret only if
// reveal would show it to them now.
import type { FastifyRequest } from 'fastify'
import { actorOf, type KeptAnswers } from '../http/app-type.ts'
import { maskedUrl } from './schema.ts'
import type { EndpointService } from './service.ts'

interface Answer {
  id: string
  url: string
  keys: { id: string; prefix: string; last4: string; secret?: string }[]
}
interface Kept {
  answer: Answer
  /** The key whose secret the answer showed. */
  shown_key_id: string | null
}

export function createKeptAnswers(
  endpoints: Pick<EndpointService, 'showAgain'>,
  rpcUrl: string
): KeptAnswers {
  return {
    strip: (body) => strip(body as Answer, rpcUrl),
    async restore(request, kept) {
      // Kept by a version that kept the secret too.
      const { answer, shown_key_id: keyId } =
        'answer' in (kept as object) ? (kept as Kept) : strip(kept as Answer, rpcUrl)
      const place = { orgId: orgOf(request), id: answer.id }
      const secret = await endpoints.showAgain(actorOf(request), place, keyId)
      if (secret === null) return answer
      const keys = answer.keys.map((key) => (key.id === keyId ? { ...key, secret } : key))
      return { ...answer, url: `${rpcUrl}/api=${secret}`, keys }
    }
  }
}

function strip(answer: Answer, rpcUrl: string): Kept {
  const shown = answer.keys.find(({ secret }) => secret !== undefined)
  const keys = answer.keys.map(({ secret: _secret, ...key }) => key)
  return {
    answer: { ...answer, url: maskedUrl(rpcUrl, shown ?? keys.at(-1)), keys },
    shown_key_id: shown?.id ?? null
  }
}

const orgOf = (request: FastifyRequest): string => (request.params as { org: string }).org
