// What SIGKILL takes: the calls of the last flush interval at most. The next start of the gateway says so.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { startGateway, until } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'
import { usageOf } from './support/usage.ts'

const flushMs = 1000
const clients = 4
const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'

t.test('a gateway that is killed loses its last flush interval, and says so', async (t) => {
  const db = await createTestDatabase()
  const upstream = await startUpstream()
  const folder = mkdtempSync(join(tmpdir(), 'sluice-killed-'))
  t.teardown(async () => {
    await upstream.stop()
    await db.drop()
    rmSync(folder, { recursive: true })
  })
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  const env = { NODE_ID: 'killed', USAGE_FLUSH_MS: String(flushMs), SLUICE_DATA_DIR: folder }
  const gateway = await startGateway({ databaseUrl: db.url, env })
  const written = async () => (await usageOf(db.database, tenant.endpointId)).calls

  const answeredMs: number[] = []
  let isKilled = false
  const serve = async () => {
    while (!isKilled) {
      const answer = await fetch(`${gateway.url}/api=${tenant.secret}`, { method: 'POST', body })
      await answer.text()
      answeredMs.push(performance.now())
    }
  }
  const serving = Array.from({ length: clients }, () => serve().catch(() => undefined))
  await until(async () => (await written()) > 0)
  // Somewhere in the next interval, so that there is something to lose.
  const known = answeredMs.length
  await until(() => answeredMs.length > known + 200)
  isKilled = gateway.child.kill('SIGKILL')
  const killedMs = performance.now()
  await Promise.all(serving)

  const lost = answeredMs.length - (await written())
  const sinceMs = killedMs - (answeredMs.at(-Math.max(lost, 1)) ?? 0)
  const what = `${lost} of ${answeredMs.length} calls, those of the last ${Math.round(sinceMs)} ms`
  t.ok(lost >= -clients, `${what}; those under way may be counted and not answered`)
  // An interval, and what the flush itself takes on a busy machine.
  t.ok(sinceMs < 5 * flushMs, what)

  const next = await startGateway({ databaseUrl: db.url, env })
  const seconds = await next.metric('sluice_gateway_usage_lost_seconds_max')
  t.ok(seconds > 0 && seconds < 30, `at most ${seconds} s are missing`)
  t.match(next.output(), 'an earlier run was killed')
  t.equal(await next.stop(), 0)
  t.equal(await written(), answeredMs.length - lost, 'nothing comes twice')
})
