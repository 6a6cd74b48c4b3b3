// Stop signals come more than once and at any moment. There is one orderly end: calls under way are answered, the ledger
// is complete, and the exit code is 0. They come to a whole process group: npm passes
// on what it gets itself, and Ctrl-C or systemd sends the same to everything that npm has started.
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { childEnvironment, projectRoot } from '../../scripts/config.ts'
import {
  type GatewayOptions,
  type GatewayProcess,
  startGateway,
  until
} from './support/gateway-process.ts'
import { RawClient, requestText, sendRaw } from './support/raw-client.ts'
import { createTenant } from './support/tenant.ts'
import { echo, startUpstream } from './support/upstream.ts'
import { totalOf } from './support/usage.ts'

const db = await createTestDatabase()
const upstream = await startUpstream()
t.teardown(async () => {
  await upstream.stop()
  await db.drop()
})

const npm = {
  program: 'npm',
  args: ['run', 'gateway'],
  cwd: projectRoot,
  env: childEnvironment()
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function setUp(t: Test, env: Record<string, string>, launch?: GatewayOptions['launch']) {
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  const gateway = await startGateway({ databaseUrl: db.url, env, ...(launch && { launch }) })
  t.teardown(() => {
    const pid = launch === undefined ? gateway.child.pid : -(gateway.child.pid as number)
    if (isAlive(pid as number)) process.kill(pid as number, 'SIGKILL')
  })
  const call = requestText(
    'POST',
    `/api=${tenant.secret}`,
    {},
    '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
  )
  for (let n = 0; n < 40; n++) t.equal((await sendRaw(gateway.port, call))?.status, 200)
  const client = await RawClient.open(gateway.port)
  t.teardown(() => client.destroy())
  const written = async () => (await totalOf(db.database, tenant.orgId, 'usage_days')).calls
  return { gateway, call, client, written }
}

/** From now on the upstream holds its answers. */
function holdAnswer(): { isHeld: () => boolean; release: () => void } {
  const waiting: (() => void)[] = []
  upstream.answer = (request, response) => {
    waiting.push(() => echo(request, response))
  }
  return {
    isHeld: () => waiting.length > 0,
    release: () => {
      upstream.answer = echo
      for (const answer of waiting) answer()
    }
  }
}

const exitOf = async ({ child }: GatewayProcess) => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return { code: child.exitCode, signal: child.signalCode }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} to the group of \`npm run gateway\` loses no call and no usage`, async (t) => {
    const { gateway, call, client, written } = await setUp(t, {}, npm)
    const group = -(gateway.child.pid as number)
    const { isHeld, release } = holdAnswer()
    client.send(call)
    await until(isHeld)
    process.kill(group, signal)
    await until(async () => (await gateway.readyz()).body.status === 'draining')
    process.kill(group, signal)
    release()
    t.equal((await client.answer())?.status, 200, 'the call under way is answered')
    t.same(await exitOf(gateway), { code: 0, signal: null })
    await until(() => !isAlive(group))
    t.equal(await written(), 41, 'and all that was answered is in the ledger')
  })
}

t.test('signals that do not cease from the start of the end to its last moment', async (t) => {
  const { gateway, call, client, written } = await setUp(t, { GATEWAY_THREADS: '2' })
  const { isHeld, release } = holdAnswer()
  client.send(call)
  await until(isHeld)
  let sent = 0
  const names = ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGTERM', 'SIGUSR2'] as const
  const sender = setInterval(() => gateway.child.kill(names[sent++ % names.length]), 1)
  await until(() => sent > 100)
  release()
  t.equal((await client.answer())?.status, 200)
  const end = await exitOf(gateway)
  clearInterval(sender)
  t.same(end, { code: 0, signal: null }, gateway.output())
  t.equal(await written(), 41)
})

t.test('a signal while it starts ends it with 0, whatever it has started by then', async (t) => {
  for (const moment of ['admin', 'listening'] as const) {
    const gateway = await startGateway({ databaseUrl: db.url, ready: false })
    t.teardown(() => gateway.child.kill('SIGKILL'))
    await until(() =>
      moment === 'admin'
        ? gateway.readyz().then(() => true)
        : gateway.output().includes('"listening"')
    )
    gateway.child.kill('SIGTERM')
    gateway.child.kill('SIGTERM')
    t.same(await exitOf(gateway), { code: 0, signal: null }, gateway.output())
  }
})

t.test('pressing Ctrl-C again cuts the calls under way off, and still counts them', async (t) => {
  const env = { DRAIN_TIMEOUT_MS: '600000', GATEWAY_THREADS: '2' }
  const { gateway, call, client, written } = await setUp(t, env)
  const { isHeld, release } = holdAnswer()
  client.send(call)
  await until(isHeld)
  const sender = setInterval(() => gateway.child.kill('SIGINT'), 50)
  t.equal(await client.answer(), null, 'it is cut')
  t.same(await exitOf(gateway), { code: 0, signal: null }, gateway.output())
  clearInterval(sender)
  release()
  t.equal(await written(), 41)
})
