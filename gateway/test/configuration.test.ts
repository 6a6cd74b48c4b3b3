// A gateway that is configured wrongly says everything that is wrong, at once and without a secret, and ends with 78; one
// whose port is taken names the port and the variable, and ends with 1.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigurationError } from '../../drizzle/environment.ts'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { spawn } from '../../scripts/test/support/processes.ts'
import { readConfig } from '../config.ts'
import { freePorts, startGateway, testSecretKey } from './support/gateway-process.ts'
import { createTenant } from './support/tenant.ts'
import { startUpstream } from './support/upstream.ts'

const mainFile = join(import.meta.dirname, '../main.ts')

/** Runs a gateway with nothing but these variables until it ends by itself. */
async function run(t: Test, env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [mainFile], { env, stdio: 'pipe' })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text) => {
      output += text
    })
  }
  const [code, signal] = await once(child, 'close')
  return { code, signal, output }
}

const [port, adminPort] = (await freePorts(2)).map(String) as [string, string]
const sound = {
  // Nothing listens there: a gateway that is configured well waits for its database.
  DATABASE_URL: 'mysql://user:pass@127.0.0.1:1/sluice',
  SECRET_KEY: testSecretKey,
  GATEWAY_HOST: '127.0.0.1',
  GATEWAY_PORT: port,
  GATEWAY_ADMIN_PORT: adminPort
}

t.test('what must be set is the database and the secret key', async (t) => {
  const { code, output } = await run(t, {})
  t.equal(code, 78)
  t.match(output, /2 problem/)
  t.match(output, /DATABASE_URL is not set/)
  t.match(output, /SECRET_KEY is not set/)
})

t.test('everything that is wrong is told at once, and no secret is repeated', async (t) => {
  const wrong = {
    DATABASE_URL: 'postgres://user:database-password@host/name',
    SECRET_KEY: `${testSecretKey},too-short-secret`,
    NODE_ID: 'with spaces',
    GATEWAY_PORT: '70000',
    GATEWAY_ADMIN_PORT: 'http',
    GATEWAY_THREADS: '0',
    TRUSTED_PROXIES: '10.0.0.0/8,everybody',
    LOG_LEVEL: 'loud',
    KEY_CACHE_TTL: '1h',
    QUOTA_STATUS: '403',
    EXCHANGES_MAX: '-1',
    REQUEST_BODY_BYTES_MAX: '1.5',
    UPSTREAM_TIMEOUT_MS: '1',
    DRAIN_TIMEOUT_MS: '9999999'
  }
  const { code, output } = await run(t, wrong)
  t.equal(code, 78)
  for (const name of Object.keys(wrong)) t.match(output, `${name} is not valid. It is `)
  t.match(output, `${Object.keys(wrong).length} problem`)
  t.notMatch(output, /database-password|too-short-secret/)
  t.notMatch(output, testSecretKey)
  t.notMatch(output, /\n {4}at /, 'people do not need a stack')
})

t.test('a database URL that leads nowhere is wrong', async (t) => {
  for (const url of ['mysql://', 'mysql://host', 'mysql://host:port/name', 'mysql:///name']) {
    t.throws(() => readConfig({ ...sound, DATABASE_URL: url }), ConfigurationError, url)
  }
  t.equal(readConfig(sound).DATABASE_URL, sound.DATABASE_URL)
})

t.test('a CIDR block without a length is not everybody', async (t) => {
  for (const block of ['10.0.0.0/', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0/8', '::/129', '/8']) {
    const env = { ...sound, TRUSTED_PROXIES: `127.0.0.1,${block}` }
    t.throws(() => readConfig(env), ConfigurationError, block)
  }
  const blocks = ['127.0.0.1', '10.0.0.0/8', '::1', '2001:db8::/32', '0.0.0.0/0']
  t.same(readConfig({ ...sound, TRUSTED_PROXIES: blocks.join(', ') }).TRUSTED_PROXIES, blocks)
})

t.test('a secret may lie in a file', async (t) => {
  const folder = t.testdir({})
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const db = await createTestDatabase()
  const upstream = await startUpstream()
  const tenant = await createTenant(db.database, { upstreamUrl: upstream.url })
  const gateway = await startGateway({
    databaseUrl: '',
    env: {
      DATABASE_URL_FILE: file('url', `${db.url}\n`),
      SECRET_KEY: '',
      SECRET_KEY_FILE: file('key', `${Buffer.alloc(32, 9).toString('base64')},${testSecretKey}\n`)
    }
  })
  t.teardown(async () => {
    await gateway.stop()
    await upstream.stop()
    await db.drop()
  })
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
  const answer = await fetch(`${gateway.url}/api=${tenant.secret}`, { method: 'POST', body })
  t.equal(answer.status, 200, 'an upstream sealed with the older key is opened')

  const both = await run(t, { ...sound, SECRET_KEY_FILE: file('other', testSecretKey) })
  t.equal(both.code, 78)
  t.match(both.output, /SECRET_KEY and SECRET_KEY_FILE are both set/)
  const { SECRET_KEY: _, ...without } = sound
  const missing = await run(t, { ...without, SECRET_KEY_FILE: join(folder, 'missing') })
  t.equal(missing.code, 78)
  t.match(missing.output, /SECRET_KEY_FILE cannot be read/)
})

t.test('a taken port is named with its variable', async (t) => {
  for (const name of ['GATEWAY_PORT', 'GATEWAY_ADMIN_PORT'] as const) {
    const taker = createServer().listen(Number(sound[name]), '127.0.0.1')
    await once(taker, 'listening')
    const { code, output } = await run(t, sound)
    await new Promise((resolve) => taker.close(resolve))
    t.equal(code, 1)
    t.match(output, `port ${sound[name]} on 127.0.0.1 is taken by another process: set ${name}`)
    t.notMatch(output, /\n {4}at /)
  }
})

t.test('the port of another gateway is taken, although sockets can share one', async (t) => {
  const first = await startGateway({ databaseUrl: sound.DATABASE_URL, ready: false })
  t.teardown(() => first.stop())
  while (!/"listening"/.test(first.output())) await once(first.child.stdout as never, 'data')
  const taken = { ...sound, GATEWAY_PORT: String(first.port) }
  const { code, output } = await run(t, taken)
  t.equal(code, 1)
  t.match(output, `port ${first.port} on 127.0.0.1 is taken by another process: set GATEWAY_PORT`)
  const admin = await run(t, { ...sound, GATEWAY_ADMIN_PORT: new URL(first.adminUrl).port })
  t.equal(admin.code, 1)
  t.match(admin.output, /set GATEWAY_ADMIN_PORT/)
})

t.test('one port for both servers is refused', async (t) => {
  const { code, output } = await run(t, { ...sound, GATEWAY_ADMIN_PORT: port })
  t.equal(code, 1)
  t.match(output, `cannot serve on 127.0.0.1 port ${port}`)
})

t.test('an address that this machine does not have is named with its variable', async (t) => {
  const { code, output } = await run(t, { ...sound, GATEWAY_HOST: '192.0.2.1' })
  t.equal(code, 1)
  t.match(output, /set GATEWAY_HOST/)
})
