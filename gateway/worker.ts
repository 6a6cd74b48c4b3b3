// One worker thread: one uWS app on the shared port, its key cache, its upstream connections, its counters. This file
// wires the stages together and follows the main thread's messages; what a request goes through is in pipeline.ts.
import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { classifyApiKey } from '../drizzle/api-key.ts'
import { HeldAnswers } from './answers/held-answers.ts'
import { ByteAccount } from './byte-account.ts'
import { createClientAddresses } from './client-address.ts'
import { systemClock as clock } from './clock.ts'
import { Deadlines } from './deadlines.ts'
import { createFailures } from './errors.ts'
import { KeyCache } from './keys/key-cache.ts'
import { Pipeline } from './pipeline.ts'
import { createAccept } from './stages/accept.ts'
import { createAuthenticate } from './stages/authenticate.ts'
import { createCharge } from './stages/charge.ts'
import { createCollect } from './stages/collect.ts'
import { createDispatch } from './stages/dispatch.ts'
import { Respond } from './stages/respond.ts'
import { createSettle } from './stages/settle.ts'
import { Counters } from './telemetry/counters.ts'
import { createExchangeLog } from './telemetry/exchange-log.ts'
import { createLog } from './telemetry/log.ts'
import { ThreadMetrics } from './telemetry/thread-metrics.ts'
import { UsageBank } from './telemetry/usage/bank.ts'
import { FailedCalls } from './telemetry/usage/samples.ts'
import type { ThreadData, ToMain, ToThread } from './threads.ts'
import { Chains } from './upstreams/chains.ts'
import { RetryBudget } from './upstreams/retry-budget.ts'
import { closeListenSocket, createApp, type us_listen_socket } from './uws.ts'

/** How often late exchanges are looked for. */
const sweepMs = 100
/** How often gauges are read. */
const gaugeMs = 1000

const { config, threadNumber, limitMemory, counterMemory } = workerData as ThreadData
const main = parentPort as MessagePort
const tell = (message: ToMain): void => main.postMessage(message)

const log = createLog(config.LOG_LEVEL, threadNumber)
const exchangeLog = createExchangeLog(log, clock)
const counters = new Counters(counterMemory, (index, family, labels) =>
  tell({ kind: 'series', index, family, labels })
)
const metrics = new ThreadMetrics(counters)
const failures = createFailures(config.QUOTA_STATUS)
const deadlines = new Deadlines({
  bodyIdleMs: config.BODY_IDLE_TIMEOUT_MS,
  progressMs: config.UPSTREAM_TIMEOUT_MS
})
const usage = new UsageBank({
  clock,
  rowsMax: config.USAGE_ROWS_MAX,
  onSealed: (bank) =>
    main.postMessage({ kind: 'usage', bank } satisfies ToMain, [bank.values.buffer as ArrayBuffer])
})
const failedCalls = new FailedCalls(clock, config.FAILED_CALLS_PER_SECOND_MAX)

const keys = new KeyCache({
  clock,
  classify: classifyApiKey,
  lookUp: (secret) => tell({ kind: 'lookup', secret }),
  limits: {
    freshMs: config.KEY_CACHE_TTL * 1000,
    staleMs: config.KEY_CACHE_STALE * 1000,
    keysMax: config.KEY_CACHE_MAX,
    unknownMax: config.KEY_NEGATIVE_MAX,
    unknownMs: config.KEY_NEGATIVE_TTL * 1000,
    waitingMax: config.KEY_LOOKUPS_MAX + config.KEY_LOOKUP_QUEUE_MAX,
    unknownPerSecondMax: config.KEY_UNKNOWN_PER_SECOND_MAX
  }
})

const chains = new Chains({
  metrics,
  onMethodLearned: (chainId, method) => tell({ kind: 'method', chainId, method }),
  onUnusable: (id, error) => log.error({ id, err: error }, 'a chain or an upstream is unusable'),
  limits: {
    connectionsMax: config.UPSTREAM_CONNECTIONS_MAX,
    queueMax: config.UPSTREAM_QUEUE_MAX,
    connectTimeoutMs: config.UPSTREAM_CONNECT_TIMEOUT_MS,
    keepAliveMs: config.UPSTREAM_KEEP_ALIVE_MS,
    answerBytesMax: config.ANSWER_BYTES_MAX
  }
})

const collect = createCollect({
  failures,
  clock,
  deadlines,
  bodyTimeoutMs: config.BODY_TIMEOUT_MS,
  bodyBytesMax: config.REQUEST_BODY_BYTES_MAX,
  bodies: new ByteAccount(config.REQUEST_BODIES_BYTES_MAX, config.REQUEST_BODY_BYTES_MAX),
  batchItemsMax: config.BATCH_ITEMS_MAX
})
const heldAnswers = new HeldAnswers(
  new ByteAccount(config.ANSWER_BUFFERS_BYTES_MAX, config.ANSWER_BUFFER_BYTES_MAX)
)
const isRecording = config.USAGE_RECORDING === 'on'
const settle = createSettle({
  clock,
  deadlines,
  metrics,
  releaseBody: collect.release,
  releaseAnswer: (exchange) => heldAnswers.release(exchange),
  recordUsage: isRecording
    ? (key, entry, nowMs) => usage.record(key, entry, nowMs)
    : () => undefined,
  noteFailedCall: (exchange, failing) => failedCalls.note(exchange, failing)
})

const clientAddresses = createClientAddresses(config.TRUSTED_PROXIES)
const { authenticate, confirm } = createAuthenticate({
  failures,
  clock,
  keys,
  chains,
  metrics,
  clientAddressOf: clientAddresses.of
})

const pipeline = new Pipeline({
  failures,
  clock,
  deadlines,
  exchangesMax: config.EXCHANGES_MAX,
  accept: createAccept({
    failures,
    newRequestId: createRequestIds(),
    bodyBytesMax: config.REQUEST_BODY_BYTES_MAX,
    isProxied: clientAddresses.isProxied
  }),
  authenticate,
  confirm,
  collect,
  charge: createCharge({
    failures,
    clock,
    words: new BigInt64Array(limitMemory),
    batchItemsMax: config.BATCH_ITEMS_MAX
  }),
  dispatch: createDispatch({ failures, chains, retryBudget: new RetryBudget(clock) }),
  respond: new Respond({
    failures,
    clock,
    deadlines,
    answerBufferBytesMax: config.ANSWER_BUFFER_BYTES_MAX,
    batchItemsMax: config.BATCH_ITEMS_MAX,
    heldAnswers,
    settle,
    onUpstreamFailure: exchangeLog.upstreamFailure
  }),
  settle,
  onBug: exchangeLog.bug,
  onUpstreamFailure: exchangeLog.upstreamFailure
})

// Told instead of thrown: a thread that ends with its uWS loop open aborts the process, and every request with it. The
// main thread drains them all.
process.on('uncaughtException', (bug) => tell({ kind: 'bug', bug }))

const app = createApp()
let listenSocket: us_listen_socket | false = false
let isDraining = false
let giveUpMs = Infinity
// Every path and every method: uWS closes the socket without an answer where nothing matches.
app.any('/*', pipeline.handle)
app.listen(config.GATEWAY_HOST, config.GATEWAY_PORT, (socket) => {
  listenSocket = socket
  tell({ kind: socket === false ? 'listen-failed' : 'listening' })
})

const sweeper = setInterval(() => pipeline.expire(clock.nowMs()), sweepMs)
const gauges = setInterval(createGauges(), gaugeMs)

main.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'key':
      keys.settle(message.secret, message.record)
      break
    case 'chains':
      chains.replace(message.chains)
      break
    case 'changes':
      keys.apply(message.changes)
      tell({ kind: 'applied', round: message.round })
      break
    case 'method':
      chains.learn(message.chainId, message.method)
      break
    case 'release-series':
      counters.release('requests_by_api_key', message.keyIds)
      tell({ kind: 'series-released', round: message.round })
      break
    case 'seal':
      seal()
      tell({ kind: 'sealed', round: message.round })
      break
    case 'drain':
      drain(message.timeoutMs)
      break
  }
})

/** Hands over what was counted. */
function seal(): void {
  usage.seal()
  const calls = failedCalls.take()
  if (calls.length > 0) tell({ kind: 'failed-calls', calls })
}

/** Ends the thread when nothing is under way any more, or when the time for it is over. */
function drain(timeoutMs: number): void {
  giveUpMs = Math.min(giveUpMs, clock.nowMs() + timeoutMs)
  if (isDraining) return
  isDraining = true
  if (listenSocket !== false) closeListenSocket(listenSocket)
  listenSocket = false
  pipeline.drain()
  const waiting = setInterval(() => {
    if (deadlines.size > 0 && clock.nowMs() < giveUpMs) return
    clearInterval(waiting)
    end()
  }, 10)
}

function end(): void {
  clearInterval(sweeper)
  clearInterval(gauges)
  // Closes what is still open, whose exchanges are settled by their abort handlers. The thread must end by itself after
  // this: process.exit with a uWS loop open aborts the process.
  app.close()
  void chains.destroy()
  seal()
  main.close()
}

function createGauges(): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const cacheEntries = metrics.gauge('sluice_gateway_key_cache_entries', threadNumber)
  const exchanges = metrics.gauge('sluice_gateway_exchanges', threadNumber)
  const p99 = metrics.gauge('sluice_gateway_event_loop_delay_p99_seconds', threadNumber)
  const max = metrics.gauge('sluice_gateway_event_loop_delay_max_seconds', threadNumber)
  return () => {
    cacheEntries(keys.size)
    exchanges(deadlines.size)
    p99(delay.percentile(99) / 1e9)
    max(delay.max / 1e9)
    delay.reset()
  }
}

/** Unique among threads and boots by its random part, and in a thread by its number. */
function createRequestIds(): () => string {
  const prefix = randomBytes(9).toString('base64url')
  let last = 0
  return () => {
    last++
    return prefix + last.toString(36)
  }
}
