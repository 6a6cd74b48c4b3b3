// Sluice as a tenant meets it, everything on: a key in a real database, a rate limit and a daily quota on the endpoint
// and on its org (all too high to refuse anything), method weights, metrics, usage. One thread, because one core is
// what every contestant gets; its main thread shares that core, and its time counts.
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { hashApiKey, newApiKey, publicFormOf } from '../../drizzle/api-key.ts'
import type { Database } from '../../drizzle/client.ts'
import { newId } from '../../drizzle/ids.ts'
import { apiKeys, chains, endpoints, orgs, upstreams } from '../../drizzle/schema/index.ts'
import { createSecretBox } from '../../drizzle/secret-box.ts'
import { findFreePort } from '../../scripts/ports.ts'
import type { BenchDatabase } from '../database.ts'
import { cores } from '../machine.ts'
import { type Program, startProgram } from '../program.ts'
import type { Contestant } from './contestant.ts'

const readyTimeoutMs = 30_000
const readyPollMs = 50
/** A thread serves some ten thousands a second, so that neither is ever reached. */
const limits = { requestsPerSecond: 1_000_000, burst: 1_000_000, dailyQuota: 1_000_000_000_000 }

/** @param openDatabase makes a fresh, migrated database; it is dropped when the contestant stops. */
export function createSluice(openDatabase: () => Promise<BenchDatabase>): Contestant {
  return {
    name: 'sluice',
    description: 'the gateway with everything on: keys, buckets, quotas, scan, metrics, usage',
    async start(upstreamUrl) {
      const { url, database, drop } = await openDatabase()
      const secretKey = randomBytes(32).toString('base64')
      const key = await seed(database, secretKey, upstreamUrl)
      const [port, adminPort] = [await findFreePort(), await findFreePort()]
      const program = await startProgram({
        file: '../gateway/main.ts',
        env: {
          DATABASE_URL: url,
          SECRET_KEY: secretKey,
          GATEWAY_HOST: '127.0.0.1',
          GATEWAY_PORT: String(port),
          GATEWAY_ADMIN_PORT: String(adminPort),
          GATEWAY_THREADS: '1',
          LOG_LEVEL: 'error'
        },
        core: cores.contestant
      })
      await Promise.race([
        untilReady(`http://127.0.0.1:${adminPort}/readyz`, program),
        program.failure
      ])
      return {
        url: `http://127.0.0.1:${port}/api=${key}`,
        pids: [program.pid],
        async stop() {
          await program.stop()
          await drop()
        }
      }
    }
  }
}

/** Writes a tenant with one key and returns the key. */
async function seed(database: Database, secretKey: string, upstreamUrl: string): Promise<string> {
  const now = new Date()
  const times = { createdAt: now, updatedAt: now }
  const [orgId, chainId, endpointId] = [newId('org'), newId('chn'), newId('ep')]
  const upstreamId = newId('ups')
  const secret = newApiKey()
  const box = createSecretBox([secretKey])
  const { orm } = database
  await orm.insert(orgs).values({ id: orgId, name: 'Bench', ...limits, ...times })
  await orm.insert(chains).values({
    id: chainId,
    name: 'bench',
    kind: 'evm',
    methodWeights: { eth_call: 2, eth_getLogs: 10 },
    ...times
  })
  await orm.insert(upstreams).values({
    id: upstreamId,
    chainId,
    name: 'bench',
    url: box.seal(upstreamUrl, upstreamId),
    ...times
  })
  await orm.insert(endpoints).values({
    id: endpointId,
    orgId,
    chainId,
    name: 'Bench',
    status: 'active',
    ...limits,
    ...times
  })
  await orm.insert(apiKeys).values({
    id: newId('key'),
    endpointId,
    hash: hashApiKey(secret),
    ...publicFormOf(secret),
    createdAt: now
  })
  return secret
}

async function untilReady(url: string, program: Program): Promise<void> {
  const deadlineMs = performance.now() + readyTimeoutMs
  while (!(await isOk(url))) {
    if (performance.now() > deadlineMs) {
      await program.stop()
      throw new Error(`the gateway was not ready within ${readyTimeoutMs} ms: its errors are above`)
    }
    await delay(readyPollMs)
  }
}

async function isOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}
