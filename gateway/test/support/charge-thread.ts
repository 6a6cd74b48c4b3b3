// A thread that charges as fast as it can, by the limits that it was last told of, for the test that plans can change
// meanwhile.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { Allowance } from '../../keys/cached-key.ts'
import { refused, useQuota } from '../../limits/quota.ts'
import { admitted, takeTokens } from '../../limits/token-bucket.ts'

const { memory, day } = workerData
const words = new BigInt64Array(memory)
let allowances: readonly Allowance[] = []
let isStopped = false
const counts = { admitted: 0, inBurst: 0 }

parentPort?.on('message', (message: 'stop' | { allowances: readonly Allowance[] }) => {
  if (message === 'stop') {
    isStopped = true
    parentPort?.postMessage(counts)
    return
  }
  allowances = message.allowances
  chargeSome()
  parentPort?.postMessage(counts)
})

while (!isStopped) {
  chargeSome()
  await nextTurn()
}

/** Bucket and quota apart, so that each is driven to its end. */
function chargeSome(): void {
  const [endpoint, org] = allowances
  if (endpoint?.rate == null || org?.quota == null) return
  for (let n = 0; n < 1000; n++) {
    const nowNs = process.hrtime.bigint()
    if (takeTokens(words, endpoint.bucket, endpoint.rate, 1n, nowNs) === admitted) counts.inBurst++
    if (useQuota(words, org.quotaWord, org.quota, 1n, day) !== refused) counts.admitted++
  }
}
