// `node bench/footprint/main.ts [connections] [keys]`: what a gateway of one thread holds for clients that are connected, and
// for keys that are used: the growth of its memory, from the first request on, each in a gateway of its own.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { newApiKey } from '../../drizzle/api-key.ts'
import { projectRoot } from '../../scripts/config.ts'
import { findFreePort } from '../../scripts/ports.ts'
import { answerOf } from '../answer.ts'
import type { RunningContestant } from '../contestants/contestant.ts'
import { createSluice } from '../contestants/sluice.ts'
import { createBenchDatabases } from '../database.ts'
import { send } from '../load/send.ts'
import { placementOf } from '../machine.ts'
import { memoryOf } from '../memory.ts'
import { processorTimeUs } from '../processor-time.ts'
import { startNode, stopPrograms } from '../program.ts'
import { createScratch } from '../scratch.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const [connectionCount, keyCount] = [process.argv[2] ?? 10_000, process.argv[3] ?? 100_000].map(
  Number
) as [number, number]
if (!(connectionCount > 0 && keyCount > 0)) {
  throw new Error('usage: node bench/footprint/main.ts [connections] [keys]')
}
/** Connections that ask at the same time. */
const askersMax = 64
const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
/** A gateway that uses less of a core is done with what it was asked: its ledger is written. */
const quietShare = 0.1
const quietSeconds = 3
const answerBytes = 45

const placement = placementOf(1)
const databases = createBenchDatabases(say)
const scratch = createScratch()
const sluice = createSluice({
  name: 'sluice',
  description: 'the gateway',
  root: projectRoot,
  openDatabase: databases.create
})

/** Goes on until its end, which is after the memory was read. */
interface Use {
  end(): void
}

interface Gateway extends RunningContestant {
  readonly paths: readonly string[]
}

/** By how much the memory of a gateway that serves so many keys has grown when it is used, bytes. */
async function growthOf(keys: number, use: (gateway: Gateway) => Promise<Use>): Promise<number> {
  const upstreamPort = await findFreePort()
  const secrets = Array.from({ length: keys }, newApiKey)
  const upstream = await startNode({
    file: 'upstream.ts',
    args: [String(upstreamPort), String(answerBytes), '1'],
    cores: placement.load
  })
  await upstream.firstMessage
  const running = await sluice.start({
    upstreamPort,
    answerBytes,
    calls: 1,
    keys: secrets,
    limitedKey: newApiKey(),
    threads: 1,
    placement,
    folder: join(scratch.folder, String(keys))
  })
  try {
    const gateway = { ...running, paths: secrets.map((secret) => `/api=${secret}`) }
    // With what any use costs: compiled code, connections to the upstream, a heap of the usual size.
    await ask(gateway, gateway.paths.slice(0, 1), 5)
    await untilQuiet(gateway)
    const before = bytesOf(gateway)
    const { end } = await use(gateway)
    const after = bytesOf(gateway)
    end()
    return after - before
  } finally {
    await running.stop()
    await upstream.stop()
  }
}

/** Every path once, and then on for so many seconds. */
async function ask({ port, pid }: Gateway, paths: readonly string[], seconds: number) {
  const stream = {
    port,
    paths,
    body,
    connections: askersMax,
    requestsPerSecond: null,
    statuses: [200]
  }
  const load = { streams: [stream], warmUpSeconds: 0, measuredSeconds: seconds, pids: [pid] }
  await send(load, placement)
}

function bytesOf({ pid }: Gateway): number {
  const memory = memoryOf([pid])
  if (memory === null) throw new Error('this system does not tell what memory a process holds')
  return memory.pssBytes
}

/** Opens them all, each with one call that was answered. They stay open. */
async function openConnections({ port, paths }: Gateway): Promise<Socket[]> {
  const request = [
    `POST ${paths[0]} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${body.length}`,
    '',
    body
  ].join('\r\n')
  const sockets: Socket[] = []
  const openOne = async () => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.write(request)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    if (!answer.includes(answerOf(answerBytes))) throw new Error(`answered with ${answer}`)
  }
  const askers = Array.from({ length: askersMax }, async () => {
    while (sockets.length < connectionCount) await openOne()
  })
  await Promise.all(askers)
  return sockets
}

async function untilQuiet({ pid }: Gateway): Promise<void> {
  for (let quiet = 0; quiet < quietSeconds; ) {
    const before = processorTimeUs(pid) ?? 0
    await delay(1000)
    const usedUs = (processorTimeUs(pid) ?? 0) - before
    quiet = usedUs < quietShare * 1e6 ? quiet + 1 : 0
  }
}

async function useConnections(gateway: Gateway): Promise<Use> {
  const sockets = await openConnections(gateway)
  const closed = sockets.filter(({ readyState }) => readyState !== 'open').length
  if (closed > 0) throw new Error(`${closed} connections were closed meanwhile`)
  return {
    end() {
      for (const socket of sockets) socket.destroy()
    }
  }
}

async function useKeys(gateway: Gateway): Promise<Use> {
  await ask(gateway, gateway.paths, 1)
  await untilQuiet(gateway)
  return { end: () => undefined }
}

function print(what: string, count: number, bytes: number): void {
  const each = (bytes / count / 1024).toFixed(2)
  say(`${count.toLocaleString('en')} ${what}: ${(bytes / 1e6).toFixed(0)} MB, ${each} KiB each`)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => void stopPrograms())
try {
  print('connections', connectionCount, await growthOf(1, useConnections))
  print('keys', keyCount, await growthOf(keyCount, useKeys))
} finally {
  await stopPrograms()
  await databases.stop()
  scratch.remove()
}
