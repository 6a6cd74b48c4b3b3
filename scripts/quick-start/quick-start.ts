// The steps of `npm start`, in the one order that works: the folder is ours before anything is written, what an earlier
// run left is ended before ports are looked at, ports are free before anything is started, and `ready` is said last.
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { openDatabase } from '../../drizzle/client.ts'
import { migrate } from '../../drizzle/migrate.ts'
import { type ChildProcesses, createChildProcesses } from '../child-processes.ts'
import { portNames, type QuickStartConfig } from '../config.ts'
import { claimDataFolder, type DataFolder } from '../data-folder.ts'
import { type DatabaseServer, openDatabaseServer } from '../database/database-server.ts'
import { startDemoChain } from '../demo-chain/demo-chain.ts'
import type { Lifetime } from '../lifetime.ts'
import { checkPorts } from '../ports.ts'
import { readPrivateJson, writePrivateJson } from '../private-file.ts'
import type { Report } from '../report.ts'
import { Setback } from '../setback.ts'
import { startPlanes, urlOf } from './planes.ts'
import { proofBody, proveTheWay } from './proof.ts'
import { createRestClient } from './rest-client.ts'
import { operatorEmail, type Seed, seedDemo } from './seed.ts'

/** With the planes' own grace it stays under the 5 s that Ctrl-C may take. */
const databaseGraceMs = 1500
/** DDL on a large table takes its time; a server that is frozen must still not hold us for ever. */
const migrationTimeoutMs = 600_000

export interface QuickStart {
  config: QuickStartConfig
  report: Report
  lifetime: Lifetime
}

interface Secrets {
  secretKey: string
  jwtSecret: string
}

/** Resolves when everything has proved itself, with a promise that rejects as soon as a part of it ends by itself. */
export async function bringUp({
  config,
  report,
  lifetime
}: QuickStart): Promise<{ broken: Promise<never> }> {
  const { signal } = lifetime
  const folder = claimDataFolder(config.SLUICE_DATA_DIR)
  lifetime.atEnd(() => folder.release())
  // Who waits for this file must not read that of an earlier start.
  rmSync(folder.at('quickstart.json'), { force: true })
  const processes = createChildProcesses(folder)
  lifetime.atEnd(() => processes.killAll())
  lifetime.atKill(() => processes.killAll())
  await endLeftovers(processes, report)
  await checkPorts(
    portNames.map((name) => ({ name, host: hostOf(config, name), port: config[name] }))
  )

  const database = await report.step(
    'database',
    (progress) =>
      openDatabaseServer({
        dataFolder: folder,
        databaseUrl: config.DATABASE_URL,
        processes,
        progress,
        signal
      }),
    (server) => server.description
  )
  lifetime.atEnd(() => database.stop(databaseGraceMs))
  await report.step(
    'migrations',
    () => migrateDatabase(database.url),
    (names) => (names.length === 0 ? 'up to date' : `${names.length} applied`)
  )

  const chain = await report.step(
    'demo chain',
    () => startDemoChain({ port: config.DEMO_CHAIN_PORT }),
    ({ url }) => url
  )
  lifetime.atEnd(() => chain.stop())

  const planes = await report.step(
    'planes',
    async () => {
      const secrets = { databaseUrl: database.url, ...readSecrets(folder, config) }
      return await startPlanes({ config, processes, lifetime, ...secrets })
    },
    () => `gateway on ${rpcBase(config)}, control plane on ${portalUrl(config)}`
  )

  const seedPath = folder.at('seed.json')
  const seed = await report.step(
    'demo data',
    async () => {
      const made = await seedDemo({
        rest: createRestClient(portalUrl(config), signal),
        databaseUrl: database.url,
        upstreamUrl: chain.url,
        earlier: readPrivateJson<Seed>(seedPath),
        signal
      })
      writePrivateJson(seedPath, made)
      return made
    },
    () => 'an operator, an org, a chain and an endpoint with an api key'
  )
  const rpcUrl = `${rpcBase(config)}/api=${seed.apiKey}`
  await report.step(
    'proof',
    () => proveTheWay(rpcUrl, chain.url, signal),
    (height) => `block ${height} through the gateway, as the demo chain itself says`
  )
  writePrivateJson(folder.at('quickstart.json'), summaryOf(config, seed))
  announce(report, config, seed)
  return { broken: firstToEnd(database, planes) }
}

async function endLeftovers(processes: ChildProcesses, report: Report): Promise<void> {
  const startedMs = performance.now()
  const names = await processes.endLeftovers()
  if (names.length === 0) return
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  report.line(
    `  an earlier start was killed: ended what it left (${names.join(', ')}) in ${seconds} s`
  )
}

async function migrateDatabase(url: string): Promise<string[]> {
  const database = openDatabase(url, { connectionsMax: 2, statementTimeoutMs: migrationTimeoutMs })
  try {
    return await migrate(database)
  } finally {
    await database.close()
  }
}

function readSecrets(folder: DataFolder, config: QuickStartConfig): Secrets {
  const path = folder.at('secrets.json')
  const known = readPrivateJson<Secrets>(path)
  const made = known ?? {
    secretKey: randomBytes(32).toString('base64'),
    jwtSecret: randomBytes(32).toString('hex')
  }
  if (known === undefined) writePrivateJson(path, made)
  return {
    secretKey: config.SECRET_KEY || made.secretKey,
    jwtSecret: config.JWT_SECRET || made.jwtSecret
  }
}

function hostOf(config: QuickStartConfig, name: (typeof portNames)[number]): string {
  if (name === 'DEMO_CHAIN_PORT') return '127.0.0.1'
  return {
    GATEWAY_PORT: config.GATEWAY_HOST,
    GATEWAY_ADMIN_PORT: config.GATEWAY_ADMIN_HOST,
    CONTROL_PLANE_PORT: config.CONTROL_PLANE_HOST,
    CONTROL_PLANE_ADMIN_PORT: config.CONTROL_PLANE_ADMIN_HOST
  }[name]
}

const rpcBase = (config: QuickStartConfig) => urlOf(config.GATEWAY_HOST, config.GATEWAY_PORT)
const portalUrl = (config: QuickStartConfig) =>
  urlOf(config.CONTROL_PLANE_HOST, config.CONTROL_PLANE_PORT)

/** quickstart.json, as the contract has it. */
function summaryOf(config: QuickStartConfig, seed: Seed) {
  return {
    rpc_url: `${rpcBase(config)}/api=${seed.apiKey}`,
    api_key: seed.apiKey,
    portal_url: portalUrl(config),
    operator: { email: operatorEmail, password: seed.operatorPassword },
    org_id: seed.orgId,
    endpoint_id: seed.endpointId,
    metrics: {
      gateway: `${urlOf(config.GATEWAY_ADMIN_HOST, config.GATEWAY_ADMIN_PORT)}/metrics`,
      control_plane: `${urlOf(config.CONTROL_PLANE_ADMIN_HOST, config.CONTROL_PLANE_ADMIN_PORT)}/metrics`
    }
  }
}

function announce(report: Report, config: QuickStartConfig, seed: Seed): void {
  const { rpc_url, portal_url, operator, metrics } = summaryOf(config, seed)
  report.line(`
ready

  curl -s ${rpc_url} -H 'content-type: application/json' -d '${proofBody}'

  REST and docs  ${portal_url}  (reference: ${portal_url}/docs)
  operator       ${operator.email}  ${operator.password}
  metrics        ${metrics.gateway}  ${metrics.control_plane}
  data           ${config.SLUICE_DATA_DIR}  (logs in logs/, all of the above in quickstart.json)

  Ctrl-C stops everything.
`)
}

async function firstToEnd(
  database: DatabaseServer,
  planes: Awaited<ReturnType<typeof startPlanes>>
): Promise<never> {
  return await Promise.race([
    ...planes.map(async (plane): Promise<never> => {
      const how = await plane.ended
      throw new Setback(`the ${plane.name} ended with ${how}:\n${plane.logTail()}`)
    }),
    database.ended.then((how): never => {
      throw new Setback(`the database ended with ${how}`)
    })
  ])
}
