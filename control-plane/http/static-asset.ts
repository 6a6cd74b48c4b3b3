// Something large that does not change while the process runs, answered without work: compressed once, with an entity tag
// so that a browser which has it is told just that, and kept by browsers for a day.
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'

const compress = promisify(gzip)

export interface StaticAsset {
  send(request: FastifyRequest, reply: FastifyReply): FastifyReply
}

/** @param type the whole Content-Type. @param cacheControl for how long a browser need not ask again. */
export async function createStaticAsset(
  text: string | Buffer,
  type: string,
  cacheControl: string
): Promise<StaticAsset> {
  const plain = Buffer.from(text)
  const compressed = await compress(plain, { level: constants.Z_BEST_COMPRESSION })
  const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 22)
  return {
    send(request, reply) {
      const isCompressed = acceptsGzip(request.headers['accept-encoding'])
      // Strong tags tell the two forms apart (RFC 9110, 8.8.3).
      const tag = `"${hash}${isCompressed ? '-gz' : ''}"`
      reply
        .header('etag', tag)
        .header('vary', 'accept-encoding')
        .header('cache-control', cacheControl)
      if (tagsIn(request.headers['if-none-match']).includes(tag)) return reply.code(304).send()
      if (isCompressed) reply.header('content-encoding', 'gzip')
      return reply.type(type).send(isCompressed ? compressed : plain)
    }
  }
}

/** Whether gzip is named, and not with a quality of nothing. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const offers = String(header ?? '')
    .toLowerCase()
    .split(',')
  return offers.some((offer) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/.test(offer))
}

const tagsIn = (header: string | undefined): string[] =>
  (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
