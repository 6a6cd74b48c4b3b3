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

  const startedMs = performance.now()
  let answered = 0
  let isKilled = false
  const serve = async () => {
    while (!isKilled) {
      const answer = await fetch(`${gateway.url}/api=${tenant.secret}`, { method: 'POST', body })
      await answer.text()
      answered++
    }
  }
  const serving = Array.from({ length: clients }, () => serve().catch(() => undefined))
  await until(async () => (await written()) > 0)
  // A whole interval later at the latest, what was answered by now is written.
  const known = answered
  await until(async () => (await written()) >= known)
  const later = answered
  // So that there is something to lose.
  await until(() => answered > later + 200)
  isKilled = gateway.child.kill('SIGKILL')
  await Promise.all(serving)

  const lost = answered - (await written())
  t.ok(lost >= -clients, `${lost} lost; those under way may be counted and not answered`)
  t.ok(lost <= answered - known, `${lost} of the ${answered - known} that came after a flush`)

  const next = await startGateway({ databaseUrl: db.url, env })
  const seconds = await next.metric('sluice_gateway_usage_lost_seconds_max')
  const tookSeconds = (performance.now() - startedMs) / 1000
  t.ok(seconds > 0 && seconds < tookSeconds, `at most ${seconds} s are missing`)
  t.match(next.output(), 'an earlier run was killed')
  t.equal(await next.stop(), 0)
  t.equal(await written(), answered - lost, 'nothing comes twice')
})
