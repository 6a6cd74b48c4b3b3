// What charging costs: one bucket, one quota, and all four of a request whose endpoint and org have both. Nobody else
// writes the words here; a thread that does costs a retry now and then.
//
//   node bench/stages/charge.ts
import { systemClock as clock } from '../../gateway/clock.ts'
import { CachedKey } from '../../gateway/keys/cached-key.ts'
import { dayOf, refused, useQuota } from '../../gateway/limits/quota.ts'
import { rateOf, takeTokens } from '../../gateway/limits/token-bucket.ts'
import { printTime, time } from './stopwatch.ts'
import { keyRecordOf, limitWords } from './tenant.ts'

const rate = rateOf(1_000_000, 1_000_000)
const spent = rateOf(1, 1)
const today = dayOf(clock.wallMs())
const quota = 1_000_000_000_000n
const { allowances } = new CachedKey(keyRecordOf(1))

printTime(
  'both clocks',
  time(() => Number(clock.nowNs() & 0xffn) + (clock.wallMs() & 0xff))
)
printTime(
  'one token bucket, admitted',
  time(() => Number(takeTokens(limitWords, 4, rate, 1n, clock.nowNs())))
)
printTime(
  'one token bucket, refused',
  time(() => Number(takeTokens(limitWords, 5, spent, 2n, clock.nowNs()) > 0n))
)
printTime(
  'one quota',
  time(() => Number(useQuota(limitWords, 6, quota, 1n, today)))
)
printTime('both buckets and both quotas, with the clocks', time(chargeAll))

function chargeAll(): number {
  const nowNs = clock.nowNs()
  const day = dayOf(clock.wallMs())
  let admitted = 0
  for (const { bucket, quotaWord, rate, quota } of allowances) {
    if (rate !== null) takeTokens(limitWords, bucket, rate, 1n, nowNs)
    if (quota !== null && useQuota(limitWords, quotaWord, quota, 1n, day) !== refused) admitted++
  }
  return admitted
}
