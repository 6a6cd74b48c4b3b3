// `node bench/usage/flush.ts [seconds]`: two gateways on one database, 2,000 keys that call 6 methods each, and a flush every
// 10 s. What a flush holds and how long it takes, whether the two get into each other's way, and whether the threads that
// serve requests feel it: the same is measured with recording off.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { newApiKey } from '../../drizzle/api-key.ts'
import { projectRoot } from '../../scripts/config.ts'
import { findFreePort } from '../../scripts/ports.ts'
import { untilServing } from '../contestants/readiness.ts'
import { seedTenants } from '../contestants/tenants.ts'
import { type BenchDatabase, createBenchDatabases } from '../database.ts'
import { send } from '../load/send.ts'
import { type NodeProgram, startNode, stopPrograms } from '../program.ts'
import { summarize } from '../statistics.ts'
import { methods } from './methods.ts'

const keyCount = 2000
const flushMs = 10_000
/** Of one method at one gateway: every (key, method) is called twice within a flush. */
const requestsPerSecond = (2 * keyCount * 1000) / flushMs
const warmUpSeconds = 15
/** Who serves has its own core; everything else, the database too, shares the other. */
const placement = { contestant: [0], load: [1] }

interface Gateway {
  readonly port: number
  readonly adminPort: number
  readonly program: NodeProgram
}

interface Sample {
  readonly rows: number
  readonly flushSeconds: number
  readonly lockRetries: number
  readonly loopDelayMs: number
}

const say = (line: string) => process.stdout.write(`${line}\n`)
const seconds = Number(process.argv[2] ?? 40)
if (!(seconds >= 20)) throw new Error('usage: node bench/usage/flush.ts [seconds, at least 20]')
const folder = mkdtempSync(join(tmpdir(), 'sluice-flush-'))
const databases = createBenchDatabases(say)

async function measure(recording: 'on' | 'off'): Promise<void> {
  const database = await databases.create()
  const keys = Array.from({ length: keyCount }, () => newApiKey())
  const secretKey = randomBytes(32).toString('base64')
  const upstreamPort = await findFreePort()
  const args = [String(upstreamPort), '45', '1']
  const upstream = await startNode({ file: 'upstream.ts', args, cores: placement.load })
  await upstream.firstMessage
  const limitedKey = newApiKey()
  const seed = { root: projectRoot, databaseUrl: database.url, secretKey, upstreamPort }
  await seedTenants({ ...seed, keys, limitedKey })
  const gateways = await Promise.all(
    ['a', 'b'].map((name) => startGateway(name, database, secretKey, recording))
  )
  const samples: Sample[] = []
  const load = Promise.all(gateways.map(({ port, program }) => sendTo(port, program.pid, keys)))
  let isOver = false
  void load.finally(() => {
    isOver = true
  })
  await delay(warmUpSeconds * 1000)
  while (!isOver) {
    for (const { adminPort } of gateways) samples.push(await sample(adminPort))
    await delay(1000)
  }
  await load
  print(recording, samples)
  await stopPrograms()
  await database.drop()
}

async function startGateway(
  name: string,
  database: BenchDatabase,
  secretKey: string,
  recording: string
): Promise<Gateway> {
  const [port, adminPort] = [await findFreePort(), await findFreePort()]
  const program = await startNode({
    file: '../gateway/main.ts',
    env: {
      DATABASE_URL: database.url,
      SECRET_KEY: secretKey,
      NODE_ID: name,
      GATEWAY_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      GATEWAY_ADMIN_PORT: String(adminPort),
      GATEWAY_THREADS: '1',
      SLUICE_DATA_DIR: join(folder, name),
      USAGE_FLUSH_MS: String(flushMs),
      USAGE_RECORDING: recording,
      LOG_LEVEL: 'error'
    },
    cores: placement.contestant
  })
  const isReady = () =>
    fetch(`http://127.0.0.1:${adminPort}/readyz`).then(
      ({ ok }) => ok,
      () => false
    )
  await untilServing(program, isReady)
  return { port, adminPort, program }
}

/** Every method is a stream of its own, which asks with every key in turn. */
async function sendTo(port: number, pid: number, keys: readonly string[]): Promise<void> {
  const streams = methods.map((method) => ({
    port,
    paths: keys.map((key) => `/api=${key}`),
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] }),
    connections: 4,
    requestsPerSecond,
    statuses: [200]
  }))
  await send({ streams, warmUpSeconds, measuredSeconds: seconds, pids: [pid] }, placement)
}

async function sample(adminPort: number): Promise<Sample> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  const value = (name: string) => {
    const line = text.split('\n').find((one) => one.startsWith(`sluice_gateway_${name}`))
    return Number(line?.slice(line.lastIndexOf(' ')) ?? Number.NaN)
  }
  return {
    rows: value('usage_flush_rows'),
    flushSeconds: value('usage_flush_duration_seconds'),
    lockRetries: value('usage_lock_retries_total'),
    loopDelayMs: value('event_loop_delay_p99_seconds{') * 1000
  }
}

function print(recording: string, samples: readonly Sample[]): void {
  const of = (read: (one: Sample) => number) => summarize(samples.map(read))
  const delays = of(({ loopDelayMs }) => loopDelayMs)
  const delaysText = `${delays.median.toFixed(2)} ms, ${delays.max.toFixed(2)} ms at most`
  say(
    `recording ${recording}: event loop delay of a serving thread, p99 of a second: ${delaysText}`
  )
  if (recording === 'off') return
  const [rows, took] = [of((one) => one.rows), of((one) => one.flushSeconds)]
  const perSecond = rows.median / took.median
  say(`  a flush: ${rows.median} rows (at most ${rows.max}) in ${took.median.toFixed(2)} s`)
  say(`  (${took.min.toFixed(2)} to ${took.max.toFixed(2)}), ${perSecond.toFixed(0)} rows/s`)
  say(`  retries because of locks: ${of((one) => one.lockRetries).max}`)
}

try {
  await measure('on')
  await measure('off')
} finally {
  await stopPrograms()
  await databases.stop()
  rmSync(folder, { recursive: true, force: true })
}
