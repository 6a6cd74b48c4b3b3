// The quick start is not ready because its parts say so, but because a call went all the way: the block number through
// the gateway, with the seeded key, is the one that the demo chain itself gives.
import { setTimeout as delay } from 'node:timers/promises'
import { Setback } from '../setback.ts'

const timeoutMs = 15_000
const pollMs = 100
type Answer = number | string
export const proofBody = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'

/** Resolves with the block number. A gateway learns of a new key within a second, so refusals are tried again. */
export async function proveTheWay(
  rpcUrl: string,
  upstreamUrl: string,
  signal: AbortSignal
): Promise<number> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    signal.throwIfAborted()
    const before = await askBlockNumber(upstreamUrl, signal)
    const through = await askBlockNumber(rpcUrl, signal)
    const after = await askBlockNumber(upstreamUrl, signal)
    if (isBetween(before, through, after)) return Number(through)
    if (performance.now() > deadlineMs) {
      throw new Setback(
        `eth_blockNumber through the gateway says ${through}, the demo chain itself says ${after}`
      )
    }
    await delay(pollMs)
  }
}

/** Blocks come all the time, also between two questions. */
function isBetween(before: Answer, through: Answer, after: Answer): boolean {
  if (typeof before === 'string' || typeof through === 'string' || typeof after === 'string') {
    return false
  }
  return before <= through && through <= after
}

/** The number, or the answer that was none. */
async function askBlockNumber(url: string, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: proofBody,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  })
  const text = await response.text()
  const { result } = parse(text)
  return typeof result === 'string' && /^0x[0-9a-f]+$/.test(result)
    ? Number(result)
    : `${response.status} ${text}`
}

function parse(text: string): { result?: unknown } {
  try {
    return (JSON.parse(text) ?? {}) as { result?: unknown }
  } catch {
    return {}
  }
}
