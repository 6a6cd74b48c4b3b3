// Everything that the main thread and a worker thread say to each other. Messages between two threads arrive in the
// order in which they were sent, and the cache relies on it: a record that the main thread sends after a change was
// already read after that change.
import type { Config } from './config.ts'
import type { ChangeNotice, KeyRecord } from './keys/key-record.ts'
import type { SealedBank } from './telemetry/usage/columns.ts'
import type { FailedCall } from './telemetry/usage/samples.ts'

export interface ChainRecord {
  readonly id: string
  readonly name: string
  readonly kind: 'evm' | 'jsonrpc' | 'rest'
  readonly methodWeights: Readonly<Record<string, number>>
  /** URLs hold providers' keys: they go to the sockets and nowhere else. */
  readonly upstreams: readonly { readonly id: string; readonly url: string }[]
}

export type ToThread =
  | { readonly kind: 'chains'; readonly chains: readonly ChainRecord[] }
  | {
      readonly kind: 'key'
      readonly secret: string
      /** `null`: no such key. `unavailable`: the database could not be asked. */
      readonly record: KeyRecord | null | 'unavailable'
    }
  /** `everything`: the log has a gap, so nothing that is cached can be trusted. Answered by `applied` with the same number. */
  | {
      readonly kind: 'changes'
      readonly changes: readonly ChangeNotice[] | 'everything'
      readonly round: number
    }
  /** These keys are gone: their series make room for others. Answered by `series-released` with the same number. */
  | {
      readonly kind: 'release-series'
      readonly keyIds: ReadonlySet<string>
      readonly round: number
    }
  /** Hand over what was counted; answered by `sealed` with the same number. */
  | { readonly kind: 'seal'; readonly round: number }
  /** A node has answered this method on another thread. */
  | { readonly kind: 'method'; readonly chainId: string; readonly method: string }
  /** Requests under way get so long to finish; a later message may only shorten it. */
  | { readonly kind: 'drain'; readonly timeoutMs: number }

export type ToMain =
  | { readonly kind: 'listening' }
  | { readonly kind: 'listen-failed' }
  /** Nobody caught it: what the thread does from now on cannot be trusted. */
  | { readonly kind: 'bug'; readonly bug: Error }
  | { readonly kind: 'lookup'; readonly secret: string }
  | { readonly kind: 'applied'; readonly round: number }
  | { readonly kind: 'usage'; readonly bank: SealedBank }
  | { readonly kind: 'failed-calls'; readonly calls: readonly FailedCall[] }
  | { readonly kind: 'sealed'; readonly round: number }
  | { readonly kind: 'series-released'; readonly round: number }
  | { readonly kind: 'method'; readonly chainId: string; readonly method: string }
  | {
      readonly kind: 'series'
      readonly index: number
      readonly family: string
      readonly labels: readonly string[]
    }

export interface ThreadData {
  readonly config: Config
  readonly threadNumber: number
  readonly limitMemory: SharedArrayBuffer
  readonly counterMemory: SharedArrayBuffer
}
