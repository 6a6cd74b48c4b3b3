// The matrix: what autocannon asks a gateway, as data. A new case is a new row.
import { blockNumber, blockNumbers, ethCallOf } from '../calls.ts'

export interface Case {
  readonly name: string
  readonly description: string
  readonly connections: number
  readonly body: string
  /** Bytes of the body that the node answers with. */
  readonly answerBytes: number
  /** Calls in one request. */
  readonly calls: number
  /** Good keys that are asked in turn. */
  readonly keys: number
  /** Which keys: good ones, one whose rate limit is used up, or such as were never issued. */
  readonly ask: 'good' | 'limited' | 'unknown'
  /** The statuses that are right; any other fails the run. */
  readonly statuses: readonly number[]
  /** Why it cannot be asked of a gateway that is not ours; null when it can. */
  readonly ownOnlyBecause: string | null
}

const single: Case = {
  name: 'single',
  description: 'one call, 63 B up, 45 B down',
  connections: 64,
  body: blockNumber,
  answerBytes: 45,
  calls: 1,
  keys: 1,
  ask: 'good',
  statuses: [200],
  ownOnlyBecause: null
}
const needsNode = 'the size of an answer is the node’s'

const batchOf = (calls: number): Case => ({
  ...single,
  name: `batch-${calls}`,
  description: `a batch of ${calls} calls`,
  body: blockNumbers(calls),
  answerBytes: 46 * calls,
  calls
})

const upOf = (name: string, bytes: number): Case => ({
  ...single,
  name: `up-${name}`,
  description: `one call, ${name} up`,
  body: ethCallOf(bytes)
})

const downOf = (name: string, bytes: number): Case => ({
  ...single,
  name: `down-${name}`,
  description: `one call, ${name} down`,
  connections: 16,
  answerBytes: bytes,
  ownOnlyBecause: needsNode
})

const connectionsOf = (connections: number): Case => ({
  ...single,
  name: `connections-${connections}`,
  description: `one call, ${connections} connection${connections === 1 ? '' : 's'}`,
  connections
})

export const cases: readonly Case[] = [
  single,
  ...[10, 100].map(batchOf),
  upOf('1k', 1024),
  upOf('64k', 65_536),
  downOf('1k', 1024),
  downOf('64k', 65_536),
  downOf('1m', 1_048_576),
  ...[1, 8, 256].map(connectionsOf),
  ...[10, 1000].map((keys) => ({
    ...single,
    name: `keys-${keys}`,
    description: `one call, ${keys.toLocaleString('en')} keys in turn`,
    keys,
    ownOnlyBecause: `it needs ${keys} keys`
  })),
  {
    ...single,
    name: 'limited',
    description: 'refused: the key has used up its rate limit',
    ask: 'limited',
    statuses: [429, 200],
    ownOnlyBecause: 'it needs a key whose limit is used up'
  },
  {
    ...single,
    name: 'unknown-keys',
    // Few enough for a gateway of ours to look all of them up (KEY_UNKNOWN_PER_SECOND_MAX).
    description: 'refused: 100 keys that were never issued, in turn',
    ask: 'unknown',
    statuses: [401]
  },
  {
    ...single,
    name: 'malformed',
    description: 'refused: the body is not JSON',
    body: '{"jsonrpc":"2.0","id":1,"method":',
    statuses: [400]
  }
]

export const unknownKeys = 100
