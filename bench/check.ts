// Whether a contestant does its job, looked at closely before thousands are counted. One that does not is not measured:
// a server that refuses, or lets everybody in, would look fast.
import { answerOf } from './answer.ts'
import type { Contestant } from './contestants/contestant.ts'

export interface Job {
  readonly port: number
  readonly upstreamPort: number
  readonly body: string
  readonly answerBytes: number
  readonly calls: number
  readonly goodKey: string
  readonly unknownKey: string
  readonly limitedKey: string
}

/** So many calls in a row with a key that may be used once a second cannot all pass. */
const limitedCalls = 20
/** Costs one, whatever the scenario asks for. */
const cheapCall = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'

/** Throws with what it found. */
export async function checkJob(contestant: Contestant, job: Job): Promise<void> {
  const { isProxy, duties } = contestant
  const before = await countAsked(job.upstreamPort)
  await checkForwarding(job)
  const forwarded = (await countAsked(job.upstreamPort)) - before
  if (forwarded !== (isProxy ? 1 : 0)) {
    throw new Error(`one call became ${forwarded} calls of the upstream`)
  }
  if (duties.includes('keys')) {
    const { status } = await call(job, job.unknownKey)
    if (status !== 401) throw new Error(`an unknown key was answered with ${status}, not with 401`)
  }
  if (duties.includes('limits')) await checkLimit(job)
}

async function checkForwarding(job: Job): Promise<void> {
  const { status, text } = await call(job, job.goodKey)
  if (status === 200 && text === answerOf(job.answerBytes, job.calls)) return
  throw new Error(
    `a good key was answered with ${status} and ${text.length} bytes (${text.slice(0, 200)}), not with 200 and the upstream's ${job.answerBytes} bytes`
  )
}

async function checkLimit(job: Job): Promise<void> {
  const statuses = new Set<number>()
  for (let count = 0; count < limitedCalls; count++) {
    statuses.add((await call({ ...job, body: cheapCall }, job.limitedKey)).status)
  }
  const seen = [...statuses].sort().join(' and ')
  if (seen !== '200 and 429') {
    throw new Error(
      `${limitedCalls} calls with a limited key were answered with ${seen}, not with 200 and 429`
    )
  }
}

async function call(job: Job, key: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${job.port}/api=${key}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: job.body
  })
  return { status: answer.status, text: await answer.text() }
}

export async function countAsked(upstreamPort: number): Promise<number> {
  return Number(await (await fetch(`http://127.0.0.1:${upstreamPort}/`)).text())
}
