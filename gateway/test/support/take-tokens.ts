// A thread that takes tokens as fast as it can, for the test that several of them are exact together.
import { parentPort, workerData } from 'node:worker_threads'
import { admitted, takeTokens } from '../../limits/token-bucket.ts'

const { memory, gate, burst, attempts } = workerData
const words = new BigInt64Array(memory)
// One token in 1,000 s: nothing comes back while the test runs.
const tokenNs = 1_000_000_000_000n
const rate = { tokenNs, burstNs: tokenNs * BigInt(burst) }
parentPort?.postMessage('ready')
Atomics.wait(gate, 0, 0)
const nowNs = process.hrtime.bigint()
let count = 0
for (let attempt = 0; attempt < attempts; attempt++) {
  if (takeTokens(words, 0, rate, 1n, nowNs) === admitted) count++
}
parentPort?.postMessage(count)
