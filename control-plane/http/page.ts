// Cursor pagination: `?limit=20&cursor=…` → `{ data, has_more, next_cursor }`. Ids of one kind sort by age, so the
// cursor is the last id that was given, and a page stays right while rows come and go.
import Type, { type Static, type TSchema } from 'typebox'
import { Failure } from '../errors.ts'

export const pageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, description: 'how many; 20 unless told' })
    ),
    cursor: Type.Optional(
      Type.String({ maxLength: 100, description: 'the next_cursor of the page before' })
    )
  },
  { additionalProperties: false }
)

export const pageOf = <T extends TSchema>(item: T) =>
  Type.Object({
    data: Type.Array(item),
    has_more: Type.Boolean(),
    next_cursor: Type.Unsafe<string | null>({ type: ['string', 'null'] })
  })

export interface PageRequest {
  limit: number
  /** The list goes on behind this id. */
  afterId: string | null
}

export interface Page<T> {
  data: T[]
  has_more: boolean
  next_cursor: string | null
}

/** Throws a failure when the cursor was not made here. */
export function readPageRequest(query: Static<typeof pageQuery>): PageRequest {
  const { limit = 20, cursor } = query
  if (cursor === undefined) return { limit, afterId: null }
  const afterId = Buffer.from(cursor, 'base64url').toString('latin1')
  if (!/^[a-z]{2,4}_[0-9a-z]{26}$/.test(afterId)) {
    throw new Failure('validation_failed', {
      errors: [{ in: 'query', pointer: '#/cursor', detail: 'is not a next_cursor of this API' }]
    })
  }
  return { limit, afterId }
}

/** @param rows up to `limit + 1` rows, in the order of their ids: the one too many says that there are more. */
export function toPage<Row extends { id: string }, T>(
  rows: readonly Row[],
  limit: number,
  present: (row: Row) => T
): Page<T> {
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return {
    data: shown.map(present),
    has_more: last !== undefined,
    next_cursor: last === undefined ? null : Buffer.from(last.id, 'latin1').toString('base64url')
  }
}
