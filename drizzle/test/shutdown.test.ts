// When the one orderly end of a process begins, what repeats change, and what ends a process that does not end. Signals
// and the clock are given, because a test cannot send itself a SIGKILL; gateway/test/stop-signals sends real ones.
import { EventEmitter } from 'node:events'
import t from 'tap'
import { createShutdown } from '../shutdown.ts'

function createHost() {
  const host = Object.assign(new EventEmitter(), {
    pid: 1,
    exitCode: undefined as number | undefined,
    exits: [] as unknown[],
    kills: [] as unknown[],
    exit(code: number) {
      host.exits.push(code)
    },
    kill(_pid: number, signal: string) {
      host.kills.push(signal)
      return true
    }
  })
  return host
}

function setUp(timeoutMs = 60_000) {
  const host = createHost()
  const clock = { nowMs: 0 }
  const shutdown = createShutdown(() => clock.nowMs, host as never)
  const lines: string[] = []
  const log = {
    info: (_detail: object, message: string) => lines.push(message),
    fatal: (_detail: object, message: string) => lines.push(message)
  }
  const ends = Promise.withResolvers<void>()
  const calls: AbortSignal[] = []
  const stop = async (_reason: unknown, hurry: AbortSignal) => {
    calls.push(hurry)
    await ends.promise
  }
  return {
    host,
    clock,
    shutdown,
    lines,
    calls,
    ends,
    arm: () => shutdown.arm({ stop, timeoutMs, log })
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

t.test('shutdown: any number of signals stops once, and the exit code is 0', async (t) => {
  const { host, calls, ends, arm } = setUp()
  arm()
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']) host.emit(signal)
  t.equal(calls.length, 1)
  t.same(host.exits, [], 'not before the end has come')
  ends.resolve()
  await settled()
  host.emit('SIGTERM')
  t.same(host.exits, [0])
})

t.test('shutdown: a signal before anything is armed is kept until then', async (t) => {
  const { host, shutdown, calls, arm } = setUp()
  host.emit('SIGTERM')
  t.equal(shutdown.isAsked, true)
  t.same(host.exits, [])
  arm()
  t.equal(calls.length, 1)
})

t.test('shutdown: only an interrupt that comes later hurries', async (t) => {
  const { host, clock, calls, arm } = setUp()
  arm()
  host.emit('SIGINT')
  clock.nowMs = 1999
  host.emit('SIGINT')
  clock.nowMs = 60_000
  host.emit('SIGTERM')
  t.equal(calls[0]?.aborted, false)
  host.emit('SIGINT')
  t.equal(calls[0]?.aborted, true)
  t.same(host.exits, [], 'it never skips the end')
})

t.test('shutdown: a bug is logged, stops in order, and the exit code tells', async (t) => {
  const { host, lines, ends, arm } = setUp()
  arm()
  host.emit('uncaughtException', new Error('planted'))
  host.emit('unhandledRejection', undefined)
  ends.resolve()
  await settled()
  t.same(host.exits, [1])
  t.equal(lines.filter((line) => line.includes('bug')).length, 2)
})

t.test('shutdown: an end that fails is logged and exits with 1', async (t) => {
  const { host, lines, ends, arm } = setUp()
  arm()
  host.emit('SIGTERM')
  ends.reject(new Error('planted'))
  await settled()
  t.same(host.exits, [1])
  t.ok(lines.includes('the orderly end failed'))
})

t.test('shutdown: an end that takes too long is killed, not exited', async (t) => {
  const { host, arm } = setUp(1)
  arm()
  host.emit('SIGTERM')
  while (host.kills.length === 0) await settled()
  t.same(host.kills, ['SIGKILL'])
  t.same(host.exits, [])
})
