// A thread that says "now" some thousands of times a second. libuv's timers count whole milliseconds, in which a dozen
// requests fall due and would be sent as one burst; spinning would take the core that the upstream shares. A sleeping
// thread wakes to about 0.1 ms, and its message wakes the generator wherever it waits.
import { parentPort, workerData } from 'node:worker_threads'

const intervalMs: number = workerData
const never = new Int32Array(new SharedArrayBuffer(4))
let nextMs = performance.now()
let isOver = false
parentPort?.once('message', () => {
  isOver = true
})

// A turn of the loop now and then, for the message that ends it.
function tick(): void {
  for (let ticks = 0; ticks < 100; ticks++) {
    nextMs += intervalMs
    const waitMs = nextMs - performance.now()
    if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs)
    // Late by more than a tick: those that were missed are not made up for, their requests are sent with this one.
    else nextMs = performance.now()
    parentPort?.postMessage(null)
  }
  if (isOver) parentPort?.close()
  else setImmediate(tick)
}

tick()
