// The promise of the ledger, kept through everything but SIGKILL: while two gateways serve 200,000 calls, the database is
// frozen, killed and started again and the gateways are stopped and started again, at random. In the end the client, the
// node and the ledger have counted the same, to the call.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Database, openDatabase } from '../../drizzle/client.ts'
import { migrate } from '../../drizzle/migrate.ts'
import { type DemoChain, startDemoChain } from '../../scripts/demo-chain/demo-chain.ts'
import {
  type FragileServer,
  startFragileServer
} from '../../scripts/test/support/fragile-server.ts'
import { type GatewayProcess, startGateway, until } from './support/gateway-process.ts'
import { createTenant, type Tenant } from './support/tenant.ts'
import { totalOf, usageOf, usageTables } from './support/usage.ts'

const callsWanted = 200_000
/** Of each kind. */
const faultsWanted = 3
const clients = 8

interface Gateway {
  readonly name: string
  readonly spool: string
  current: GatewayProcess
  start(ready: boolean): Promise<GatewayProcess>
}

interface Scene {
  readonly server: FragileServer
  readonly database: Database
  readonly chain: DemoChain
  readonly tenants: readonly Tenant[]
  readonly gateways: readonly Gateway[]
  isOver: boolean
}

/** What the client was told of its calls, by outcome. */
interface Counted {
  ok: number
  rate_limited: number
}

const randomBetween = (low: number, high: number) => low + Math.random() * (high - low)
const oneOf = <T>(many: readonly T[]): T => many[Math.floor(Math.random() * many.length)] as T

async function setUp(t: Test): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-exactly-once-'))
  const chain = await startDemoChain({ port: 0 })
  const server = await startFragileServer(join(folder, 'server'))
  const database = openDatabase(server.url, { statementTimeoutMs: 30_000 })
  await migrate(database)
  const limits = [{}, { requestsPerSecond: 500, burst: 500 }, {}]
  const tenants = await Promise.all(
    limits.map((endpoint) => createTenant(database, { upstreamUrl: chain.url, endpoint }))
  )
  const gateways = await Promise.all(['a', 'b'].map((name) => openGateway(server, folder, name)))
  t.teardown(async () => {
    await Promise.all(gateways.map(({ current }) => current.stop()))
    await database.close()
    await server.stop()
    await chain.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  return { server, database, chain, tenants, gateways, isOver: false }
}

async function openGateway(server: FragileServer, folder: string, name: string): Promise<Gateway> {
  const dataFolder = join(folder, name)
  mkdirSync(dataFolder)
  const env = {
    NODE_ID: name,
    GATEWAY_THREADS: '2',
    USAGE_FLUSH_MS: '500',
    SLUICE_DATA_DIR: dataFolder,
    LOG_LEVEL: 'warn'
  }
  const start = (ready: boolean) => startGateway({ databaseUrl: server.url, ready, env })
  return { name, spool: join(dataFolder, 'usage-spool'), current: await start(true), start }
}

/** A request that was refused before its key was known (503), or whose connection was closed unread, is nobody's call. */
async function callOn({ gateways, tenants }: Scene, counted: Counted): Promise<void> {
  const { url } = oneOf(gateways).current
  const size = Math.random() < 0.3 ? 1 : Math.ceil(randomBetween(10, 100))
  const calls = Array.from({ length: size }, (_, id) => {
    const method = oneOf(['eth_chainId', 'eth_gasPrice'])
    return { jsonrpc: '2.0', id, method, params: [] }
  })
  const body = JSON.stringify(size === 1 ? calls[0] : calls)
  try {
    const answer = await fetch(`${url}/api=${oneOf(tenants).secret}`, { method: 'POST', body })
    await answer.text()
    if (answer.status === 200) counted.ok += size
    else if (answer.status === 429) counted.rate_limited += size
    else if (answer.status !== 503) throw new Error(`status ${answer.status}`)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // Nobody listens while a gateway starts again.
    await delay(5)
  }
}

/** The database and the gateways fail independently, so that a gateway is also stopped while the database is away. */
async function breakThings(scene: Scene) {
  const { server, gateways } = scene
  const faults = { frozen: 0, killed: 0, restarted: 0 }
  const isEnough = () => scene.isOver && Math.min(...Object.values(faults)) >= faultsWanted
  const breakDatabase = async () => {
    while (!isEnough()) {
      if (Math.random() < (faults.frozen > faults.killed ? 0.2 : 0.8)) {
        // Longer than a gateway waits for it when it ends.
        await server.freeze(Math.random() < 0.3 ? 8000 : randomBetween(100, 4000))
        faults.frozen++
      } else {
        await server.killAndRestart(randomBetween(0, 3000))
        faults.killed++
      }
      await delay(randomBetween(100, 1500))
    }
  }
  const restartGateways = async () => {
    while (!isEnough()) {
      const gateway = oneOf(gateways)
      const code = await gateway.current.stop()
      if (code !== 0) throw new Error(`exit code ${code}: ${gateway.current.output()}`)
      gateway.current = await gateway.start(false)
      // Before that a signal ends it as it ends any program.
      await until(async () => (await fetch(`${gateway.current.adminUrl}/healthz`)).ok)
      faults.restarted++
      await delay(randomBetween(500, 3000))
    }
  }
  await Promise.all([breakDatabase(), restartGateways()])
  return faults
}

/** What is still on a disk is written by the gateway that runs there now. */
async function settle(t: Test, { current, spool }: Gateway): Promise<void> {
  await until(async () => (await current.readyz()).body.status === 'ready', current.output)
  await until(() => readdirSync(spool).length === 0, current.output)
  await until(async () => (await current.metric('sluice_gateway_usage_pending')) === 0)
  t.equal(await current.metric('sluice_gateway_usage_unaccounted'), 0)
  t.equal(await current.metric('sluice_gateway_usage_lost_seconds_max'), 0)
  t.equal(await current.stop(), 0)
}

async function compare(t: Test, { database, tenants, chain }: Scene, counted: Counted) {
  const received = Object.values(chain.received().methods).reduce((sum, count) => sum + count, 0)
  t.equal(received, counted.ok, 'the node has received what the client was answered')
  const calls = counted.ok + counted.rate_limited
  for (const table of usageTables) {
    const sums = { calls: 0, ok: 0, rate_limited: 0, client_error: 0, upstream_error: 0 }
    let callsOfOrgs = 0
    for (const { endpointId, orgId } of tenants) {
      const one = await usageOf(database, endpointId, { table })
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += one[name]
      callsOfOrgs += (await totalOf(database, orgId, table)).calls
    }
    t.same(sums, { ...counted, calls, client_error: 0, upstream_error: 0 }, table)
    t.equal(callsOfOrgs, calls, `${table}, the orgs`)
  }
}

t.test('to the call, whatever happens to the database and the gateways', async (t) => {
  const scene = await setUp(t)
  const counted: Counted = { ok: 0, rate_limited: 0 }
  const serve = async () => {
    while (!scene.isOver) {
      await callOn(scene, counted)
      scene.isOver ||= counted.ok + counted.rate_limited >= callsWanted
    }
  }
  const [faults] = await Promise.all([
    breakThings(scene),
    ...Array.from({ length: clients }, serve)
  ])
  t.comment(`calls: ${JSON.stringify(counted)}, faults: ${JSON.stringify(faults)}`)
  await Promise.all(scene.gateways.map((gateway) => settle(t, gateway)))
  await compare(t, scene, counted)
})
