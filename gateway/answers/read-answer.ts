// What the node's answer to the calls of an exchange says of them: which ones failed, and which of their methods it knows.
import type { Exchange } from '../exchange.ts'
import { mayHoldError, openAnswer, readVerdicts } from '../rpc/answer.ts'

/** Finds out which calls the node has failed, and which of their methods it knows: those may be named in metrics. */
export function readAnswer(exchange: Exchange, answer: Buffer): void {
  const { chain, scan, status, body, refusedCalls, answerHeaders } = exchange
  if (chain === null || scan === null || body === null) return
  const { methodNames } = chain
  const opened = openAnswer(answer, String(answerHeaders?.['content-encoding'] ?? ''))
  if (opened === null) {
    learnFromLarge(exchange)
    return
  }
  const hasNews = status === 200 && scan.calls.some(({ method }) => methodNames.isNews(method))
  if (!hasNews && !mayHoldError(opened)) return
  const isSent = (index: number) => refusedCalls === null || !refusedCalls.has(index)
  exchange.verdicts = readVerdicts(opened, body, scan, isSent)
  if (!hasNews) return
  for (const [index, verdict] of exchange.verdicts) {
    if (verdict === 'result') chain.learn(scan.calls[index]?.method ?? '')
  }
}

/** An error is short: what is too large to be looked into is a result, when it is JSON at all. */
export function learnFromLarge({ chain, scan, status, answerHeaders }: Exchange): void {
  const [call] = scan?.calls ?? []
  if (chain === null || call === undefined || scan?.isBatch || status !== 200) return
  if (String(answerHeaders?.['content-type'] ?? '').includes('json')) chain.learn(call.method)
}
