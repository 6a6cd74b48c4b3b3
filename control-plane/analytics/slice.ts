// Which rows of the usage tables answer a question: always the smallest sums that still tell apart what it tells apart
// (drizzle/schema/usage.ts shows the three kinds).
//
//   told apart or filtered by                      rows
//   chain, method                                  the org's
//   endpoint, chain                                the totals of endpoints
//   anything with key, or endpoint and method      the detail

export type Dimension = 'endpoint' | 'key' | 'method' | 'chain'

/** What a question is narrowed to: ids, but for the method, which is a name. */
export type Filters = { readonly [Name in Dimension]?: string }

export type SliceKind = 'org' | 'endpoints' | 'detail'

/** A scope and its keys in the usage tables; the key `''` is the scope as a whole. */
export interface ScopeKeys {
  scopeId: string
  keyIds: readonly string[]
}

/** Rows of the usage tables, for whatever time. */
export interface Slice {
  scopes: readonly ScopeKeys[]
  /** Only these; undefined is any. */
  methods?: readonly string[]
  chainIds?: readonly string[]
}

export function sliceKindOf(filters: Filters, groupBy: Dimension | null): SliceKind {
  const concerns = (dimension: Dimension) =>
    filters[dimension] !== undefined || groupBy === dimension
  if (concerns('key') || (concerns('endpoint') && concerns('method'))) return 'detail'
  return concerns('endpoint') ? 'endpoints' : 'org'
}

/** A scope as a whole. */
export function wholeOf(scopeId: string): ScopeKeys {
  return { scopeId, keyIds: [''] }
}

/** What is left of a slice when only some groups are looked at. */
export function narrow(slice: Slice, groupBy: Dimension, groups: ReadonlySet<string>): Slice {
  const { scopes } = slice
  switch (groupBy) {
    case 'endpoint':
      return { ...slice, scopes: scopes.filter(({ scopeId }) => groups.has(scopeId)) }
    case 'key':
      return {
        ...slice,
        scopes: scopes.flatMap(({ scopeId, keyIds }) => {
          const left = keyIds.filter((keyId) => groups.has(keyId))
          return left.length === 0 ? [] : [{ scopeId, keyIds: left }]
        })
      }
    case 'method':
      return { ...slice, methods: [...groups] }
    case 'chain':
      return { ...slice, chainIds: [...groups] }
  }
}
