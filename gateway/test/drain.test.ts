// The end of a gateway: the load balancer hears of it first, what is under way finishes, nothing new begins, and the
// process ends with 0 in bounded time. When a thread dies there is no such end to be had, and the exit code says so.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { type GatewayProcess, startGateway, until } from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { createTenant } from './support/tenant.ts'
import { echo, startUpstream } from './support/upstream.ts'

const db = await createTestDatabase()
const upstream = await startUpstream()
const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
t.teardown(async () => {
  await upstream.stop()
  await db.drop()
})

const call = requestText(
  'POST',
  `/api=${tenant.secret}`,
  {},
  '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
)

async function start(t: Test, env: Record<string, string> = {}): Promise<GatewayProcess> {
  const gateway = await startGateway({ databaseUrl: db.url, env })
  t.teardown(() => gateway.child.kill('SIGKILL'))
  t.equal((await sendRaw(gateway.port, call))?.status, 200)
  return gateway
}

/** From now on the upstream holds its answers; resolves to what lets them go. */
function holdAnswers(): { held: () => number; release: () => void } {
  const waiting: (() => void)[] = []
  upstream.answer = (request, response) => {
    waiting.push(() => echo(request, response))
  }
  return {
    held: () => waiting.length,
    release: () => {
      upstream.answer = echo
      for (const answer of waiting) answer()
    }
  }
}

async function exitOf(gateway: GatewayProcess) {
  const { child } = gateway
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return { code: child.exitCode, signal: child.signalCode }
}

for (const threads of ['1', '2']) {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    t.test(`${signal} with ${threads} thread(s): what is under way finishes, then 0`, async (t) => {
      const gateway = await start(t, { GATEWAY_THREADS: threads })
      const { held, release } = holdAnswers()
      const clients = await Promise.all([0, 1, 2, 3].map(() => RawClient.open(gateway.port)))
      const idle = await RawClient.open(gateway.port)
      for (const client of clients) client.send(call)
      await until(() => held() === 4)

      gateway.child.kill(signal)
      await until(async () => (await gateway.readyz()).body.status === 'draining')
      t.equal((await gateway.readyz()).status, 503)
      await until(() => refuses(gateway.port))
      release()
      for (const client of clients) t.equal((await client.answer())?.status, 200)
      t.same(await exitOf(gateway), { code: 0, signal: null })
      await idle.closed()
      for (const client of [idle, ...clients]) client.destroy()
      t.match(gateway.output(), /"stopped"/)
    })
  }
}

/** Whether a new connection is refused. */
async function refuses(port: number): Promise<boolean> {
  const client = await RawClient.open(port).catch(() => null)
  client?.destroy()
  return client === null
}

t.test('readyz turns before the port closes, so that a load balancer can look away', async (t) => {
  const gateway = await start(t, { DRAIN_DELAY_MS: '700' })
  gateway.child.kill('SIGTERM')
  await until(async () => (await gateway.readyz()).status === 503)
  t.equal((await sendRaw(gateway.port, call))?.status, 200, 'who comes meanwhile is served')
  t.same(await exitOf(gateway), { code: 0, signal: null })
})

t.test('during the drain a request on a connection that is kept open is told to go', async (t) => {
  const gateway = await start(t)
  const { held, release } = holdAnswers()
  const kept = await RawClient.open(gateway.port)
  const working = await RawClient.open(gateway.port)
  working.send(call)
  await until(() => held() === 1)
  gateway.child.kill('SIGTERM')
  await until(() => refuses(gateway.port))
  kept.send(call)
  const answer = await kept.answer()
  t.equal(answer?.status, 503)
  t.equal(answer?.headers['retry-after'], '01')
  t.equal(answer?.headers.connection, 'close')
  t.match(JSON.parse(answer?.body ?? ''), { id: 1, error: { data: { reason: 'draining' } } })
  await kept.closed()
  release()
  t.equal((await working.answer())?.status, 200)
  t.same(await exitOf(gateway), { code: 0, signal: null })
  for (const client of [kept, working]) client.destroy()
})

t.test(
  'an upstream that never answers holds the end up for DRAIN_TIMEOUT_MS, not longer',
  async (t) => {
    // Without the drain's own limit this exchange would go on for ten minutes.
    const gateway = await start(t, {
      DRAIN_TIMEOUT_MS: '500',
      UPSTREAM_TIMEOUT_MS: '600000',
      GATEWAY_THREADS: '2'
    })
    const { held, release } = holdAnswers()
    const stuck = await RawClient.open(gateway.port)
    stuck.send(call)
    await until(() => held() === 1)
    const startedMs = performance.now()
    gateway.child.kill('SIGTERM')
    t.equal(await stuck.answer(), null, 'it is cut')
    t.same(await exitOf(gateway), { code: 0, signal: null })
    const tookMs = performance.now() - startedMs
    t.ok(tookMs >= 500, `after ${Math.round(tookMs)} ms`)
    stuck.destroy()
    release()
  }
)

t.test('a change that comes during the drain does not hold it up', async (t) => {
  const gateway = await start(t, { CHANGE_POLL_MS: '10' })
  const { held, release } = holdAnswers()
  const working = await RawClient.open(gateway.port)
  working.send(call)
  await until(() => held() === 1)
  gateway.child.kill('SIGTERM')
  await until(() => refuses(gateway.port))
  const changes = (async () => {
    const { child } = gateway
    while (child.exitCode === null && child.signalCode === null)
      await tenant.updateOrg({ name: 'Acme' })
  })()
  release()
  t.equal((await working.answer())?.status, 200)
  t.same(await exitOf(gateway), { code: 0, signal: null })
  await changes
  working.destroy()
})

t.test('the death of a thread ends the process, with a code that is not 0', async (t) => {
  const folder = t.testdir({
    'plant.mjs': `
      import { existsSync } from 'node:fs'
      import { isMainThread, workerData } from 'node:worker_threads'
      if (!isMainThread && workerData?.threadNumber === 1) {
        const watch = setInterval(() => {
          if (!existsSync(new URL('./now', import.meta.url))) return
          clearInterval(watch)
          throw new Error('planted')
        }, 20)
      }`
  })
  const preload = pathToFileURL(join(folder, 'plant.mjs')).href
  const env = { GATEWAY_THREADS: '2', NODE_OPTIONS: `--import ${preload}` }
  const gateway = await start(t, env)
  writeFileSync(join(folder, 'now'), '')
  t.same(await exitOf(gateway), { code: 70, signal: null })
  t.match(gateway.output(), /a thread has died/)
  t.match(gateway.output(), /planted/)
})
