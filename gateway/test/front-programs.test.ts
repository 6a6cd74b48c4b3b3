// The blocks of docs/front.md, run as they stand there by the real programs in front of a real gateway. Only ports and
// paths are replaced. The client calls from 127.0.0.2, the front from 127.0.0.1, so an endpoint that lists the client's
// address opens only where the front names it rightly.
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket, type TcpNetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { spawn } from '../../scripts/test/support/processes.ts'
import { freePorts, startGateway, until } from './support/gateway-process.ts'
import { requestText } from './support/raw-client.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

interface Front {
  /** The language of its block in docs/front.md. */
  readonly block: string
  readonly program: 'nginx' | 'haproxy' | 'caddy'
  readonly args: (configFile: string) => readonly string[]
  /** What must stand around the block. */
  readonly frame: (block: string, folder: string) => string
  /** Statuses for a client of HTTP/1.0 and for one that sends a chunked body. */
  readonly oldStatus: number
  readonly chunkedStatus: number
  readonly keepsUpstream: boolean
}

const nginxFrame = (block: string, folder: string) => `
  daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
  events {}
  http {
    ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
    ${block}
  }`
const haproxy = {
  program: 'haproxy',
  args: (file: string) => ['-db', '-f', file],
  frame: (block: string) => `${block}\n`
} as const
const fronts: readonly Front[] = [
  {
    block: 'nginx',
    program: 'nginx',
    args: (file) => ['-e', 'stderr', '-c', file],
    frame: nginxFrame,
    oldStatus: 200,
    chunkedStatus: 200,
    keepsUpstream: true
  },
  { ...haproxy, block: 'haproxy', oldStatus: 505, chunkedStatus: 411, keepsUpstream: true },
  { ...haproxy, block: 'haproxy-tcp', oldStatus: 505, chunkedStatus: 411, keepsUpstream: false },
  {
    block: 'caddy',
    program: 'caddy',
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
    frame: (block) => `{\n\tadmin off\n}\n${block}`,
    oldStatus: 200,
    chunkedStatus: 411,
    keepsUpstream: true
  }
]

const docs = readFileSync(join(import.meta.dirname, '../../docs/front.md'), 'utf8')
const support = join(import.meta.dirname, 'support')
const certificateFile = join(support, 'loopback-certificate.pem')
const keyFile = join(support, 'loopback-key.pem')
const certificate = readFileSync(certificateFile)
/** Where packages put them; /usr/sbin is on no plain user's PATH. */
const programFolders = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin']
const clientAddress = '127.0.0.2'
const otherAddress = '127.0.0.3'
/** Above the limits that fronts have by default, and below the default of REQUEST_BODY_BYTES_MAX. */
const largeBytes = 5_000_000
const call = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'

const db = await createTestDatabase()
const upstream = await startUpstream()
const { secret } = await createTenant(db.database, {
  upstreamUrl: upstream.url,
  endpoint: { allowedIps: [clientAddress] }
})
const gateway = await startGateway({
  databaseUrl: db.url,
  env: { TRUSTED_PROXIES: '127.0.0.1' }
})
t.teardown(async () => {
  await gateway.stop()
  await upstream.stop()
  await db.drop()
})

const target = `/api=${secret}`

function pathOf(program: string): string | null {
  for (const folder of programFolders) {
    const path = join(folder, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  return null
}

/** Between front and gateway, to count the connections that the front opens. */
async function startRelay(port: number) {
  const sockets = new Set<Socket>()
  const relay = { port: 0, opened: 0, stop: async () => {} }
  const server = createServer((front) => {
    relay.opened++
    const back = connect(port, '127.0.0.1')
    for (const socket of [front, back]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    front.pipe(back).pipe(front)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  relay.port = (server.address() as { port: number }).port
  relay.stop = async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  return relay
}

/** The block of the page, with the ports and files of this test in place of those of the page. */
function blockOf(front: Front, folder: string, ports: { own: number; gateway: number }): string {
  const [, found] = new RegExp(`\`\`\`${front.block}\n([^]*?)\`\`\``).exec(docs) ?? []
  if (found === undefined) throw new Error(`docs/front.md has no block ${front.block}`)
  const both = join(folder, 'both.pem')
  writeFileSync(both, `${certificate}${readFileSync(keyFile)}`, { mode: 0o600 })
  return found
    .replace(/(listen |bind :|^:)443/m, (_all, before) => `${before}${ports.own}`)
    .replaceAll(':8080', `:${ports.gateway}`)
    .replaceAll('port 9090', `port ${new URL(gateway.adminUrl).port}`)
    .replaceAll('/etc/ssl/sluice.pem', certificateFile)
    .replaceAll('/etc/ssl/sluice-key.pem', keyFile)
    .replaceAll('/etc/ssl/sluice-both.pem', both)
}

async function startFront(t: Test, front: Front, path: string) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-front-'))
  const relay = await startRelay(gateway.port)
  const [own = 0] = await freePorts(1)
  const file = join(folder, 'config')
  const block = blockOf(front, folder, { own, gateway: relay.port })
  writeFileSync(file, front.frame(block, folder))
  const child = spawn(path, front.args(file), {
    cwd: folder,
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const exited = once(child, 'exit')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
    })
  }
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
    await relay.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  await until(
    async () => {
      if (child.exitCode !== null) return true
      const socket = connect(own, '127.0.0.1')
      await once(socket, 'connect')
      socket.destroy()
      return true
    },
    () => output
  )
  if (child.exitCode !== null) throw new Error(`${front.block} ended: ${output}`)
  return { port: own, relay, output: () => output }
}

function openTls(port: number, localAddress: string) {
  const options: ConnectionOptions & TcpNetConnectOpts = {
    host: '127.0.0.1',
    port,
    localAddress,
    ca: certificate,
    ALPNProtocols: ['http/1.1']
  }
  const socket = connectTls(options)
  // What came before a reset is what the test judges.
  socket.on('error', () => undefined)
  return socket
}

/** Sends all of it over TLS and reads to the end of the connection: what came. */
async function exchange(port: number, from: string, text: string): Promise<string> {
  const socket = openTls(port, from)
  let received = ''
  socket.on('data', (bytes) => {
    received += bytes
  })
  socket.write(text, 'latin1')
  await once(socket, 'close')
  return received
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1])
const post = (headers = {}) =>
  requestText('POST', target, { 'Content-Type': 'application/json', ...headers }, call)
const closing = { Connection: 'close' }

t.test(
  'docs/front.md has a block of each front, with the ports and files that the page names',
  (t) => {
    const folder = t.testdir()
    for (const front of fronts) {
      const block = blockOf(front, folder, { own: 20_001, gateway: 20_002 })
      t.match(block, /(?:listen |:)20001/, front.block)
      t.match(block, /127\.0\.0\.1:20002/, front.block)
      t.notMatch(block, '/etc/ssl', front.block)
    }
    t.end()
  }
)

for (const front of fronts) {
  const path = pathOf(front.program)
  if (path === null) {
    process.stdout.write(
      `# ${front.program} is not installed: its block "${front.block}" is not tested here\n`
    )
    continue
  }
  t.test(`docs/front.md, ${front.block}: what the page promises of it holds`, async (t) => {
    const { port, relay, output } = await startFront(t, front, path)
    const send = (text: string, from = clientAddress) => exchange(port, from, text)

    const answer = await send(post(closing))
    t.equal(statusOf(answer), 200, `a call over TLS passes: ${answer}${output()}`)
    t.match(answer, /^x-request-id: [\w-]{8,64}\r$/im)
    t.match(answer, /"result":"eth_chainId"/)

    const refused = await send(post(closing), otherAddress)
    t.equal(statusOf(refused), 401, 'another address is refused')
    t.match(refused, /"reason":"ip_not_allowed"/)
    t.match(refused, /^x-request-id: /im)
    for (const claim of [
      { 'X-Forwarded-For': clientAddress },
      { Forwarded: `for=${clientAddress}` }
    ]) {
      const forged = await send(post({ ...claim, ...closing }), otherAddress)
      t.match(forged, /"reason":"ip_not_allowed"/, 'nobody can claim the address')
      const kept = await send(post({ ...closing, Forwarded: 'for=198.51.100.1' }))
      t.equal(statusOf(kept), 200, 'and a claim takes nothing from who has it')
    }

    const old = await send(post().replace('HTTP/1.1', 'HTTP/1.0'))
    t.equal(statusOf(old), front.oldStatus, `HTTP/1.0: ${old}`)
    const chunked = await send(
      requestText('POST', target, { ...closing, 'Transfer-Encoding': 'chunked' }) +
        `${call.length.toString(16)}\r\n${call}\r\n0\r\n\r\n`
    )
    t.equal(statusOf(chunked), front.chunkedStatus, `a chunked body: ${chunked}`)

    const params = `["${'x'.repeat(largeBytes)}"]`
    const largeCall = call.replace('}', `,"params":${params}}`)
    const large = await send(requestText('POST', target, closing, largeCall))
    t.equal(statusOf(large), 200, 'a body that the gateway takes, the front takes')

    const before = { opened: relay.opened, received: upstream.received.length }
    await callsInSequence(t, port, front.keepsUpstream ? 5 : 1)
    t.equal(upstream.received.length - before.received, front.keepsUpstream ? 5 : 1)
    t.ok(relay.opened - before.opened <= 1, 'all on one connection to the gateway')

    if (front.keepsUpstream) {
      const hiding = post({ '': 'x', 'X-Hidden': '1', ...closing })
      const isRefused = statusOf(await send(hiding)) === 400
      const isShown = upstream.received.at(-1)?.headers['x-hidden'] === '1'
      t.ok(isRefused || isShown, 'an empty header name hides nothing behind the front')
    }
  })
}

/** On one connection of the client: each is sent when the last is answered. */
async function callsInSequence(t: Test, port: number, count: number): Promise<void> {
  const socket = openTls(port, clientAddress)
  let received = ''
  socket.on('data', (bytes) => {
    received += bytes
  })
  for (let done = 1; done <= count; done++) {
    socket.write(post())
    const isAnswered = () => received.split('"result":"eth_chainId"}').length > done
    await until(
      () => socket.closed || isAnswered(),
      () => received
    )
  }
  socket.destroy()
  t.equal(received.split('HTTP/1.1 200').length - 1, count)
}
