// What is asked of every contestant, as data. A new scenario is a new row.
import { blockNumber, blockNumbers, ethCallOf } from './calls.ts'
import type { Contestant, Duty } from './contestants/contestant.ts'

export interface Scenario {
  readonly name: string
  readonly description: string
  readonly connections: number
  readonly threads: number
  readonly requestBody: string
  /** Bytes of the body that the upstream answers with. */
  readonly answerBytes: number
  /** How many calls the body has: the answer has as many results. */
  readonly calls: number
  /** How many keys there are, asked in turn. */
  readonly keys: number
  /** Which keys: good ones, one whose limit is used up, or such as were never issued. */
  readonly ask: 'good' | 'limited' | 'unknown'
  /** Whether unknown keys, each a new one, flood in while good keys are served at a fixed rate. */
  readonly hasFlood: boolean
  /** What a contestant must do to take part. */
  readonly needs: Duty | null
  /** Whether it is run when no scenario is named. */
  readonly isUsual: boolean
}

/** Scenarios that differ in one number, which must not make a request dearer. */
export interface Series {
  readonly axis: string
  readonly points: readonly { readonly at: number; readonly scenario: string }[]
}

const single: Scenario = {
  name: 'single',
  description: 'one call, 63 B up, 45 B down',
  connections: 64,
  threads: 1,
  requestBody: blockNumber,
  answerBytes: 45,
  calls: 1,
  keys: 1,
  ask: 'good',
  hasFlood: false,
  needs: null,
  isUsual: true
}
const unusual = { ...single, isUsual: false }

export const scenarios: readonly Scenario[] = [
  single,
  {
    ...single,
    name: 'limited',
    description: 'a call that is refused because its key has used up its limit',
    ask: 'limited',
    needs: 'limits'
  },
  {
    ...single,
    name: 'unknown-keys',
    // So few that Sluice looks them all up at once (KEY_UNKNOWN_PER_SECOND_MAX): more is what `flood` is about.
    description: 'a call that is refused because its key was never issued, 100 such keys in turn',
    keys: 100,
    ask: 'unknown',
    needs: 'keys'
  },
  {
    ...unusual,
    name: 'kilobyte',
    description: 'one call, 1 KB up, 1 KB down',
    requestBody: ethCallOf(1024),
    answerBytes: 1024
  },
  {
    ...unusual,
    name: 'megabyte',
    description: 'one call, 63 B up, 1 MB down',
    connections: 16,
    answerBytes: 1_048_576
  },
  {
    ...unusual,
    name: 'batch',
    description: 'a batch of 10 calls, 641 B up, 460 B down',
    requestBody: blockNumbers(10),
    answerBytes: 460,
    calls: 10
  },
  {
    ...unusual,
    name: 'flood',
    description:
      'one call, while half as many calls with unknown keys, never the same twice, flood in',
    hasFlood: true,
    needs: 'keys'
  },
  ...[10, 1000, 100_000].map((keys) => ({
    ...unusual,
    name: `keys-${keys}`,
    description: `one call, ${keys.toLocaleString('en')} keys in turn`,
    keys,
    needs: 'keys' as const
  })),
  ...[1, 8, 512].map((connections) => ({
    ...unusual,
    name: `connections-${connections}`,
    description: `one call, ${connections} connection${connections === 1 ? '' : 's'}`,
    connections
  })),
  ...[2, 4].map((threads) => ({
    ...unusual,
    name: `threads-${threads}`,
    description: `one call, ${threads} threads`,
    threads
  }))
]

export const series: readonly Series[] = [
  {
    axis: 'connections',
    points: [
      { at: 1, scenario: 'connections-1' },
      { at: 8, scenario: 'connections-8' },
      { at: 64, scenario: 'single' },
      { at: 512, scenario: 'connections-512' }
    ]
  },
  {
    axis: 'threads',
    points: [
      { at: 1, scenario: 'single' },
      { at: 2, scenario: 'threads-2' },
      { at: 4, scenario: 'threads-4' }
    ]
  },
  {
    axis: 'keys',
    points: [
      { at: 1, scenario: 'single' },
      { at: 10, scenario: 'keys-10' },
      { at: 1000, scenario: 'keys-1000' },
      { at: 100_000, scenario: 'keys-100000' }
    ]
  }
]

/** Why a contestant cannot take part; null when it can. */
export function findMismatch(scenario: Scenario, contestant: Contestant): string | null {
  const { needs, threads } = scenario
  if (needs !== null && !contestant.duties.includes(needs)) return `has no ${needs}`
  if (threads > contestant.threadsMax) return 'is one thread'
  return null
}
