// Sluice as a tenant meets it, everything on: keys in a real database, a rate limit and a daily quota on the endpoint and
// on its org, method weights, metrics, usage. Its main thread shares the core of its serving threads, and its time counts.
import { randomBytes } from 'node:crypto'
import { relative } from 'node:path'
import { projectRoot } from '../../scripts/config.ts'
import { findFreePort } from '../../scripts/ports.ts'
import type { BenchDatabase } from '../database.ts'
import { startNode } from '../program.ts'
import type { Contestant, Setup } from './contestant.ts'
import { untilServing } from './readiness.ts'
import { seedTenants } from './tenants.ts'

/** quick-lru's own bound is twice this. */
const keyCacheMin = 50_000

export interface SluiceOptions {
  readonly name: string
  readonly description: string
  /** The tree that it runs from. */
  readonly root: string
  /** A fresh, empty database; it is dropped when the contestant stops. */
  readonly openDatabase: () => Promise<BenchDatabase>
  /** For Node, as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[]
}

export function createSluice(options: SluiceOptions): Contestant {
  return {
    name: options.name,
    description: options.description,
    duties: ['keys', 'limits', 'counters'],
    isProxy: true,
    threadsMax: 256,
    findObstacle: () => null,
    version: () => null,
    start: (setup) => start(options, setup)
  }
}

async function start({ root, openDatabase, nodeOptions = [] }: SluiceOptions, setup: Setup) {
  const database = await openDatabase()
  try {
    const secretKey = randomBytes(32).toString('base64')
    await seedTenants({ ...setup, root, databaseUrl: database.url, secretKey })
    const [port, adminPort] = [await findFreePort(), await findFreePort()]
    const program = await startNode({
      file: relative(`${projectRoot}/bench`, `${root}/gateway/main.ts`),
      nodeOptions,
      env: {
        DATABASE_URL: database.url,
        SECRET_KEY: secretKey,
        GATEWAY_HOST: '127.0.0.1',
        GATEWAY_PORT: String(port),
        GATEWAY_ADMIN_PORT: String(adminPort),
        GATEWAY_THREADS: String(setup.threads),
        // Its own: what one gateway could not write yet, the next one in the same folder would.
        SLUICE_DATA_DIR: setup.folder,
        KEY_CACHE_MAX: String(Math.max(keyCacheMin, setup.keys.length)),
        LOG_LEVEL: 'error'
      },
      cores: setup.placement.contestant
    })
    await untilServing(program, () => isOk(`http://127.0.0.1:${adminPort}/readyz`))
    return {
      port,
      pid: program.pid,
      failure: program.failure,
      async stop() {
        await program.stop()
        await database.drop()
      }
    }
  } catch (error) {
    await database.drop()
    throw error
  }
}

async function isOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}
