// A contestant that does not do its job must not be measured, however fast it is.
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { answerOf } from '../answer.ts'
import { checkJob } from '../check.ts'
import type { Contestant } from '../contestants/contestant.ts'

const contestant = (options: Partial<Contestant> = {}): Contestant => ({
  name: 'tested',
  description: '',
  duties: ['keys', 'limits'],
  isProxy: true,
  threadsMax: 1,
  findObstacle: () => null,
  version: () => null,
  start: () => Promise.reject(new Error('not started here')),
  ...options
})

async function serve(t: Test, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

interface Proxy {
  /** Requests to the upstream for one that is forwarded. */
  readonly times?: number
  readonly unknownStatus?: number
  /** Calls that the limited key may make. */
  readonly limit?: number
  readonly answer?: string
}

/** A proxy in front of an upstream, and what it is checked with. */
async function start(t: Test, proxy: Proxy = {}) {
  const { times = 1, unknownStatus = 401, limit = 1, answer = answerOf(45) } = proxy
  let asked = 0
  let spent = 0
  const upstreamPort = await serve(t, (_req, res) => res.end(String(asked)))
  const port = await serve(t, (req, res) => {
    const key = req.url?.slice('/api='.length)
    if (key === 'good') {
      asked += times
      res.end(answer)
    } else if (key === 'limited') {
      res.writeHead(spent++ < limit ? 200 : 429).end()
    } else {
      res.writeHead(unknownStatus).end()
    }
  })
  return {
    port,
    upstreamPort,
    body: '{}',
    answerBytes: 45,
    calls: 1,
    goodKey: 'good',
    unknownKey: 'unknown',
    limitedKey: 'limited'
  }
}

t.test('check: one that does its job passes', async (t) => {
  await t.resolves(checkJob(contestant(), await start(t)))
})

t.test('check: an answer that is not the upstream’s is told', async (t) => {
  const job = await start(t, { answer: '{"jsonrpc":"2.0","id":1,"error":{}}' })
  await t.rejects(checkJob(contestant(), job), /a good key was answered with 200 and 35 bytes/)
})

t.test('check: a proxy that answers by itself, or asks twice, is told', async (t) => {
  const none = await start(t, { times: 0 })
  await t.rejects(checkJob(contestant(), none), /one call became 0 calls of the upstream/)
  await t.resolves(checkJob(contestant({ isProxy: false }), none), 'unless that is what it is')
  const twice = await start(t, { times: 2 })
  await t.rejects(checkJob(contestant(), twice), /one call became 2 calls/)
})

t.test('check: a key that was never issued must be refused by who has keys', async (t) => {
  const job = await start(t, { unknownStatus: 200 })
  await t.rejects(checkJob(contestant(), job), /an unknown key was answered with 200, not with 401/)
  await t.resolves(checkJob(contestant({ duties: [] }), job))
})

t.test('check: a limit must let some calls through and refuse others', async (t) => {
  const open = await start(t, { limit: 1000 })
  await t.rejects(
    checkJob(contestant(), open),
    /20 calls with a limited key were answered with 200,/
  )
  const shut = await start(t, { limit: 0 })
  await t.rejects(checkJob(contestant(), shut), /were answered with 429, not with 200 and 429/)
})
