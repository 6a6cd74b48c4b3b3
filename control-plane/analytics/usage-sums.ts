// What is added up for a step, a group or a period, and how such sums are put together.

/** Calls are the sum of the four outcomes. */
export interface Counts {
  ok: number
  clientError: number
  rateLimited: number
  upstreamError: number
  rpcErrors: number
  cost: number
  bytesIn: number
  bytesOut: number
}

export interface Sums extends Counts {
  /** Calls in each latency bucket of drizzle/schema/usage.ts. */
  latency: number[]
}

export const countNames = [
  'ok',
  'clientError',
  'rateLimited',
  'upstreamError',
  'rpcErrors',
  'cost',
  'bytesIn',
  'bytesOut'
] as const satisfies readonly (keyof Counts)[]

export const noCounts: Readonly<Counts> = Object.freeze({
  ok: 0,
  clientError: 0,
  rateLimited: 0,
  upstreamError: 0,
  rpcErrors: 0,
  cost: 0,
  bytesIn: 0,
  bytesOut: 0
})

export function noSums(): Sums {
  return { ...noCounts, latency: [] }
}

export function callsOf({ ok, clientError, rateLimited, upstreamError }: Counts): number {
  return ok + clientError + rateLimited + upstreamError
}

/** Adds `part` to `whole`. */
export function addCounts(whole: Counts, part: Counts): void {
  for (const name of countNames) whole[name] += part[name]
}

/** What came to `before` until it was `after`. */
export function countsBetween(before: Counts, after: Counts): Counts {
  const added = { ...noCounts }
  for (const name of countNames) added[name] = after[name] - before[name]
  return added
}

/** Takes `part`, which is in it, away from `whole`. */
export function subtractSums(whole: Sums, part: Sums): void {
  for (const name of countNames) whole[name] -= part[name]
  for (const [place, calls] of part.latency.entries()) {
    whole.latency[place] = (whole.latency[place] ?? 0) - calls
  }
}
