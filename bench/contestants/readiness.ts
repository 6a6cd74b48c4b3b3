// Waits until a program serves.
import { setTimeout as delay } from 'node:timers/promises'
import type { Program } from '../program.ts'

const timeoutMs = 30_000
const pollMs = 30

/** Throws when it ends instead, or does not serve in time; then it is stopped. */
export async function untilServing(
  program: Program,
  isServing: () => Promise<boolean>
): Promise<void> {
  let hasEnded = false
  program.failure.catch(() => {
    hasEnded = true
  })
  const deadlineMs = performance.now() + timeoutMs
  while (!(await isServing())) {
    if (hasEnded) await program.failure
    if (performance.now() > deadlineMs) {
      await program.stop()
      throw new Error(`${program.name} does not serve after ${timeoutMs} ms`)
    }
    await delay(pollMs)
  }
}
