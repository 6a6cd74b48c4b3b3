// The main thread: reads the configuration, owns everything slow (the database, the change feed, the admin server), and
// starts one worker thread per core. Nothing here is on the way of a request but the look-up of a key that no thread knows.
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { openDatabase } from '../drizzle/client.ts'
import { ConfigurationError, exitCodeOfBadConfiguration } from '../drizzle/environment.ts'
import { newId } from '../drizzle/ids.ts'
import { createSecretBox } from '../drizzle/secret-box.ts'
import { createShutdown, type StopReason } from '../drizzle/shutdown.ts'
import { systemClock as clock } from './clock.ts'
import { type Config, limitHeadBytes, readConfig } from './config.ts'
import { ChangeFeed } from './keys/change-feed.ts'
import { KeyDirectory, type LookupResult } from './keys/key-directory.ts'
import { scopeOf } from './keys/key-record.ts'
import { MetricsKeys } from './keys/metrics-keys.ts'
import { createLimitMemory, LimitWords } from './limits/limit-words.ts'
import { QuotaLedger } from './limits/quota-ledger.ts'
import { type Readiness, startAdmin } from './telemetry/admin.ts'
import { createLog } from './telemetry/log.ts'
import { Metrics } from './telemetry/metrics.ts'
import { CallErrors } from './telemetry/usage/call-errors.ts'
import { UsageLedger } from './telemetry/usage/ledger.ts'
import { usageReadings } from './telemetry/usage/readings.ts'
import { prepareSpool } from './telemetry/usage/spool.ts'
import { ThreadPool } from './thread-pool.ts'

/** EX_SOFTWARE of sysexits.h. */
const exitCodeOfBug = 70
/** How long a frozen database may hold up the end: last flush, then spool, then marking this boot as ended. Milliseconds. */
const shutdownFlushMs = 15_000
/** What a thread gets to end after its requests have, or have run out of time. Milliseconds. */
const threadEndMs = 2000

const shutdown = createShutdown()
const config = readConfigOrEnd()
// Before the first thread loads uWS.
limitHeadBytes()

const log = createLog(config.LOG_LEVEL)
const bootId = newId('boot')
const limitMemory = createLimitMemory(config.LIMIT_SLOTS_MAX)
const words = new BigInt64Array(limitMemory)
const metrics = new Metrics()
const database = openDatabase(config.DATABASE_URL, {
  // Every look-up has a connection, so that none waits behind others for a database that has frozen, and so have the
  // change feed and the two ledgers.
  connectionsMax: config.KEY_LOOKUPS_MAX + 4,
  statementTimeoutMs: 3000,
  queueMax: config.KEY_LOOKUPS_MAX + 16
})
const lookups: Record<LookupResult, number> = { found: 0, unknown: 0, failed: 0, refused: 0 }
const quotas = new QuotaLedger({ database, clock, log, words })
const limits = new LimitWords({
  words,
  clock,
  // What a request may wait for its key or its body, and a little.
  graceMs: config.UPSTREAM_TIMEOUT_MS + 1000,
  ledger: quotas,
  forget: (scopeIds) => feed.forget(scopeIds)
})
const metricsKeys = new MetricsKeys({
  clock,
  keysMax: config.METRICS_KEYS_MAX,
  graceMs: config.UPSTREAM_TIMEOUT_MS + 1000,
  releaseSeries: (keyIds) => threads.releaseSeries(keyIds)
})
const directory = new KeyDirectory({
  database,
  clock,
  log,
  limits,
  loadUsed: (scopeIds, day) => quotas.loadUsed(scopeIds, day),
  lookupsMax: config.KEY_LOOKUPS_MAX,
  queueMax: config.KEY_LOOKUP_QUEUE_MAX,
  unknownPerSecondMax: config.KEY_UNKNOWN_PER_SECOND_MAX,
  metricsKeys,
  bringChain: (chainId) => feed.bringChain(chainId),
  onLookup: (result) => {
    lookups[result]++
  }
})
const threads = new ThreadPool({
  config,
  limitMemory,
  metrics,
  lookUp: (secret, answer) => {
    // Before the change log has been read once, a record could be cached whose change is then missed.
    if (!feed.isFollowing) answer({ kind: 'key', secret, record: 'unavailable' })
    else directory.lookUp(secret, (record) => answer({ kind: 'key', secret, record }))
  },
  onUsage: (bank) => usage.receive(bank),
  onFailedCalls: (calls) => callErrors.receive(calls),
  onDeath: (threadNumber, error) => {
    log.fatal({ err: error, thread: threadNumber }, 'a thread has died')
    shutdown.ask({}, exitCodeOfBug)
  }
})
const callErrors = new CallErrors(database, log)
const usage = new UsageLedger({
  database,
  clock,
  log,
  nodeId: config.nodeId,
  bootId,
  flushMs: config.USAGE_FLUSH_MS,
  spoolFolder: config.spoolFolder,
  spoolBytesMax: config.USAGE_SPOOL_BYTES_MAX,
  callErrors,
  sealThreads: () => threads.seal(),
  recorded: () => threads.recorded
})
const feed = new ChangeFeed({
  database,
  secretBox: createSecretBox(config.SECRET_KEY),
  log,
  nodeId: config.nodeId,
  bootId,
  pollMs: config.CHANGE_POLL_MS,
  onChains: (chains) => {
    chainCount = chains.length
    chainsWithoutUpstream = chains.filter(({ upstreams }) => upstreams.length === 0).length
    threads.tell({ kind: 'chains', chains })
  },
  onChanges: (changes, round) => {
    directory.apply(changes)
    const scopeIds =
      changes === 'everything' ? 'all' : new Set(changes.flatMap((change) => scopeOf(change) ?? []))
    if (scopeIds === 'all') limits.forgetAll()
    else limits.forget(scopeIds)
    metricsKeys.forget(scopeIds, reading)
    threads.tell({ kind: 'changes', changes, round })
  },
  applied: (round) => threads.applied(round),
  onReading: () => {
    reading = limits.beginReading()
    return reading
  },
  onHeard: (heard) => {
    limits.hear(heard)
    void metricsKeys.hear(heard)
  }
})
/** The reading of the change log that is under way. */
let reading = 0
let chainCount = 0
let chainsWithoutUpstream = 0
let isListening = false
let isDraining = false
const usageStarted = Promise.withResolvers<void>()

addReadings()
prepareSpoolOrEnd(config.spoolFolder)
await checkPortOrEnd(config.GATEWAY_HOST, config.GATEWAY_PORT, 'GATEWAY')
await checkPortOrEnd(config.GATEWAY_ADMIN_HOST, config.GATEWAY_ADMIN_PORT, 'GATEWAY_ADMIN')
const admin = await startAdmin({
  host: config.GATEWAY_ADMIN_HOST,
  port: config.GATEWAY_ADMIN_PORT,
  log,
  metrics,
  readiness
})
// Before the first request can be served: whatever is served is counted, also when the end comes at once.
const { DRAIN_DELAY_MS, DRAIN_TIMEOUT_MS } = config
shutdown.arm({
  stop,
  timeoutMs: DRAIN_DELAY_MS + DRAIN_TIMEOUT_MS + threadEndMs + shutdownFlushMs,
  log
})
await startThreadsOrEnd()
// Before the change feed says that this boot is alive, and forgets when the last one was.
await usage.start()
usageStarted.resolve()
if (!isDraining) {
  isListening = true
  feed.start()
  quotas.start()
  const { GATEWAY_HOST: host, GATEWAY_PORT: port, GATEWAY_THREADS: threadCount } = config
  log.info({ host, port, threads: threadCount, node: config.nodeId, boot: bootId }, 'listening')
}

/** In this order: the load balancer looks away, new connections end, requests finish, what they used is written. */
async function stop(_reason: StopReason, hurry: AbortSignal): Promise<void> {
  isDraining = true
  hurry.addEventListener('abort', () => threads.cutShort())
  await delay(DRAIN_DELAY_MS, undefined, { signal: hurry }).catch(() => undefined)
  // A thread that hangs must not keep what the others counted from being written.
  await Promise.race([
    threads.drain(hurry.aborted ? 0 : DRAIN_TIMEOUT_MS),
    delay(DRAIN_TIMEOUT_MS + threadEndMs, undefined, { ref: false })
  ])
  // Where the end was asked for during the start.
  await Promise.race([usageStarted.promise, delay(shutdownFlushMs, undefined, { ref: false })])
  await Promise.all([feed.stop(), quotas.stop(), usage.stop()])
  await database.close()
  admin.close()
  admin.closeAllConnections()
  if (threads.haveEnded) return
  log.fatal('a thread does not end: killed')
  process.kill(process.pid, 'SIGKILL')
}

function readiness(): Readiness {
  const cachedKeys = metrics.total('sluice_gateway_key_cache_entries')
  const hasDatabase = feed.isFollowing && !feed.isFailing
  const checks = {
    database: hasDatabase ? 'ok' : feed.problem || 'unreachable',
    keys: hasDatabase ? 'ok' : cachedKeys > 0 ? `${cachedKeys} cached` : 'none cached',
    threads: isListening ? 'ok' : 'starting',
    upstreams:
      chainsWithoutUpstream === 0
        ? `${chainCount} chains`
        : `${chainsWithoutUpstream} of ${chainCount} chains have none`
  }
  if (isDraining) return { status: 'draining', checks }
  if (!isListening || (!hasDatabase && cachedKeys === 0)) return { status: 'unavailable', checks }
  return { status: hasDatabase ? 'ready' : 'degraded', checks }
}

function addReadings(): void {
  metrics.addReading({
    name: 'sluice_gateway_key_lookups_total',
    help: 'Look-ups of api keys in the database; refused ones did not reach it.',
    type: 'counter',
    read: () => Object.entries(lookups).map(([result, value]) => ({ labels: { result }, value }))
  })
  for (const reading of usageReadings({ usage, quotas })) metrics.addReading(reading)
}

function readConfigOrEnd(): Config {
  try {
    return readConfig()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`gateway: ${error.message}\n`)
    process.exit(exitCodeOfBadConfiguration)
  }
}

function prepareSpoolOrEnd(folder: string): void {
  try {
    prepareSpool(folder)
  } catch (error) {
    process.stderr.write(
      `gateway: usage cannot be kept in ${folder} while the database is away (${(error as Error).message}): set SLUICE_DATA_DIR to a folder that can be written\n`
    )
    process.exit(exitCodeOfBadConfiguration)
  }
}

/** A port can still be taken between the look at it and now, by another gateway that starts at the same moment. */
async function startThreadsOrEnd(): Promise<void> {
  try {
    await threads.start()
  } catch (error) {
    const { GATEWAY_HOST, GATEWAY_PORT } = config
    const { message } = error as Error
    // The end that was asked for is under way, and may be why.
    if (shutdown.isAsked) return
    process.stderr.write(
      `gateway: cannot serve on ${GATEWAY_HOST} port ${GATEWAY_PORT}: ${message}\n`
    )
    // Not before they have ended by themselves: an open uWS loop would abort the process.
    await threads.drain(0)
    process.exit(1)
  }
}

/** The threads share the port (SO_REUSEPORT), so they would also share it with a gateway that is already there: look first. */
async function checkPortOrEnd(host: string, port: number, prefix: string): Promise<void> {
  const probe = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject)
      probe.listen({ host, port, exclusive: true }, resolve)
    })
  } catch (error) {
    const { code } = error as { code?: string }
    const why = code === 'EADDRINUSE' ? 'is taken by another process' : `cannot be used (${code})`
    const isHost = code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN'
    const variable = `${prefix}_${isHost ? 'HOST' : 'PORT'}`
    process.stderr.write(`gateway: port ${port} on ${host} ${why}: set ${variable} to another\n`)
    process.exit(1)
  }
  await new Promise((resolve) => probe.close(resolve))
}
