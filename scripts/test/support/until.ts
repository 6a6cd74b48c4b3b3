// How tests wait: for what they wait for, not for a time. The limit judges nothing: on a machine that is busy with other
// work everything takes ten times as long, so only what never comes reaches it, and then the test says what it waited for.
import { setTimeout as delay } from 'node:timers/promises'

/** Well below the limit of a test file, so that a failure names the wait that it is about. */
export const patienceMs = 120_000
const pollMs = 20

/** Asks again until the answer is yes. Fails with what `explain` says. A question that throws is a no. */
export async function until(
  question: () => Promise<boolean> | boolean,
  explain: () => string = () => ''
): Promise<void> {
  const endMs = performance.now() + patienceMs
  let refusal: unknown
  const ask = async () => {
    refusal = undefined
    return await question()
  }
  for (;;) {
    const isSo = await ask().catch((error: unknown) => {
      refusal = error
      return false
    })
    if (isSo) return
    if (performance.now() > endMs) {
      const what = `${question} is not true after ${patienceMs} ms: ${explain()}`
      throw new Error(what, { cause: refusal })
    }
    await delay(pollMs)
  }
}
