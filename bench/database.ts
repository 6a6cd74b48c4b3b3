// Databases for the bench: a server (the one that TEST_DATABASE_URL names, else a private one in .data-bench), and on it
// one database for each start of a gateway, made and dropped again. Its name says whose it is, should a bench be killed.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openDatabase } from '../drizzle/client.ts'
import { createChildProcesses } from '../scripts/child-processes.ts'
import { projectRoot, readTestDatabaseUrl } from '../scripts/config.ts'
import { claimDataFolder } from '../scripts/data-folder.ts'
import { openDatabaseServer } from '../scripts/database/database-server.ts'

const stopGraceMs = 10_000

export interface BenchDatabase {
  /** What DATABASE_URL is for a gateway. Empty: not even migrated. */
  readonly url: string
  drop(): Promise<void>
}

export interface BenchDatabases {
  create(): Promise<BenchDatabase>
  /** Stops the server, if it is ours. */
  stop(): Promise<void>
}

interface Server {
  url: URL
  stop(): Promise<void>
}

/** The server is looked for, or started, when the first database is asked for; `say` is told what takes long. */
export function createBenchDatabases(say: (activity: string) => void): BenchDatabases {
  let server: Promise<Server> | null = null
  return {
    async create() {
      server ??= openServer(say)
      return await createDatabase((await server).url)
    },
    async stop() {
      await (await server)?.stop()
    }
  }
}

async function openServer(say: (activity: string) => void): Promise<Server> {
  const given = readTestDatabaseUrl()
  if (given !== null) return { url: new URL(given), stop: async () => undefined }
  const dataFolder = claimDataFolder(join(projectRoot, '.data-bench'))
  const processes = createChildProcesses(dataFolder)
  await processes.endLeftovers()
  const server = await openDatabaseServer({
    dataFolder,
    processes,
    progress: say,
    signal: new AbortController().signal
  })
  return {
    url: new URL(server.url),
    async stop() {
      await server.stop(stopGraceMs)
      dataFolder.release()
    }
  }
}

async function createDatabase(serverUrl: URL): Promise<BenchDatabase> {
  const server = openDatabase(serverUrl.href, { connectionsMax: 1 })
  const name = `sluice_bench_${randomBytes(6).toString('hex')}`
  await server.pool.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return {
    url: url.href,
    async drop() {
      await server.pool.query(`DROP DATABASE IF EXISTS ${name}`)
      await server.close()
    }
  }
}
