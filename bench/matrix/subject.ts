// What the matrix asks: a gateway of this tree with its own database and node, or one that runs already.
import { join } from 'node:path'
import { newApiKey } from '../../drizzle/api-key.ts'
import { findFreePort } from '../../scripts/ports.ts'
import { blockNumber } from '../calls.ts'
import { checkJob, countAsked } from '../check.ts'
import type { Contestant } from '../contestants/contestant.ts'
import { type Placement, placementOf } from '../machine.ts'
import { processTreeOf } from '../process-tree.ts'
import { startNode } from '../program.ts'
import { type Case, unknownKeys } from './cases.ts'

export interface Subject {
  readonly origin: string
  readonly placement: Placement
  /** Empty for one that is not ours. */
  readonly pids: readonly number[]
  /** The path of each key that a case asks with. */
  pathsOf(asked: Case): string[]
  /** Calls that have reached the node so far; null when the node is not ours. */
  countAsked(): Promise<number | null>
  stop(): Promise<void>
}

/** Our gateway in front of a node that answers as this case, and those that have the same answer, need. */
export async function startOwn(
  gateway: Contestant,
  first: Case,
  keysMax: number,
  folder: string
): Promise<Subject> {
  const upstreamPort = await findFreePort()
  const placement = placementOf(1)
  const keys = Array.from({ length: keysMax }, newApiKey)
  const limitedKey = newApiKey()
  const { answerBytes, calls } = first
  const upstream = await startNode({
    file: 'upstream.ts',
    args: [upstreamPort, answerBytes, calls].map(String),
    cores: placement.load
  })
  try {
    await upstream.firstMessage
    const setup = { upstreamPort, answerBytes, calls, keys, limitedKey, threads: 1, placement }
    const running = await gateway.start({ ...setup, folder: join(folder, first.name) })
    const stop = async () => {
      await running.stop()
      await upstream.stop()
    }
    try {
      const goodKey = keys[0] as string
      // A case that is refused says nothing about whether calls pass.
      const body = calls === 1 ? blockNumber : first.body
      const job = { port: running.port, upstreamPort, body, answerBytes, calls }
      await checkJob(gateway, { ...job, goodKey, limitedKey, unknownKey: newApiKey() })
    } catch (error) {
      await stop()
      throw error
    }
    return {
      origin: `http://127.0.0.1:${running.port}`,
      placement,
      pids: processTreeOf(running.pid),
      pathsOf: (asked) => pathsOf(asked, keys.slice(0, asked.keys), limitedKey),
      countAsked: () => countAsked(upstreamPort),
      stop
    }
  } catch (error) {
    await upstream.stop()
    throw error
  }
}

/** @param urls endpoints of one gateway, each with its key. */
export function describeRunning(urls: readonly string[]): Subject {
  const parsed = urls.map((url) => new URL(url))
  const origins = new Set(parsed.map(({ origin }) => origin))
  if (origins.size > 1) {
    throw new TypeError(
      'several --url are several keys of one gateway: their hosts must be the same'
    )
  }
  const paths = parsed.map(({ pathname, search }) => pathname + search)
  return {
    origin: [...origins].join(),
    // Where the gateway runs is its operator's choice: the load takes any core.
    placement: { contestant: [], load: placementOf(1).load },
    pids: [],
    pathsOf: (asked) => (asked.ask === 'unknown' ? unknownPaths() : paths),
    countAsked: async () => null,
    stop: async () => undefined
  }
}

function pathsOf(asked: Case, good: readonly string[], limitedKey: string): string[] {
  if (asked.ask === 'unknown') return unknownPaths()
  return (asked.ask === 'limited' ? [limitedKey] : good).map(pathOf)
}

const unknownPaths = () => Array.from({ length: unknownKeys }, newApiKey).map(pathOf)
const pathOf = (key: string) => `/api=${key}`
