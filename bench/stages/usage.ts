// What counting one call for the ledger costs a thread: the same key and method again, and 2,000 keys of 6 methods in turn.
//
//   node bench/stages/usage.ts
import { systemClock } from '../../gateway/clock.ts'
import { CachedKey } from '../../gateway/keys/cached-key.ts'
import { UsageBank } from '../../gateway/telemetry/usage/bank.ts'
import { printTime, time } from './stopwatch.ts'
import { keyRecordOf } from './tenant.ts'

const keyCount = 2000
const methods = [
  'eth_call',
  'eth_blockNumber',
  'eth_getLogs',
  'eth_chainId',
  'net_version',
  '_other'
]
const latenciesMs = [0.3, 0.9, 1.7, 3.1, 12, 250]

const keys = Array.from({ length: keyCount }, (_, number) => new CachedKey(keyRecordOf(number)))
let sealed = 0
const bank = new UsageBank({
  clock: systemClock,
  rowsMax: 20_000,
  onSealed: ({ values }) => {
    sealed += values.length
  }
})
const nowMs = systemClock.nowMs()
let turn = 0

function record(keysUsed: number, methodsUsed: number): number {
  turn++
  const place = Math.floor(turn / keysUsed) % methodsUsed
  const entry = {
    method: methods[place] as string,
    outcome: 'ok' as const,
    isRpcError: false,
    cost: 1,
    bytesIn: 64,
    bytesOut: 45,
    latencyMs: latenciesMs[turn % latenciesMs.length] as number
  }
  bank.record(keys[turn % keysUsed] as CachedKey, entry, nowMs)
  return turn
}

printTime(
  'record  one key, one method',
  time(() => record(1, 1))
)
printTime(
  'record  2,000 keys of 6 methods',
  time(() => record(keyCount, methods.length))
)
const sealNs = time(() => {
  for (let call = 0; call < keyCount * methods.length; call++) record(keyCount, methods.length)
  bank.seal()
  return sealed
})
printTime('record 12,000 calls of as many kinds, and seal', sealNs)
