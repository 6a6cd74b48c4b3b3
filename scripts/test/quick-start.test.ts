// `npm start` from the outside, as a newcomer meets it: in a data folder of its own, on ports of its own. It keeps what
// the contract says about quickstart.json, about Ctrl-C, about a second start, and about one that was killed.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { newApiKey } from '../../drizzle/api-key.ts'
import { childEnvironment, portNames, projectRoot } from '../config.ts'
import { findFreePort } from '../ports.ts'
import { spawn } from './support/processes.ts'

const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'

interface Summary {
  rpc_url: string
  api_key: string
  portal_url: string
  operator: { email: string; password: string }
  org_id: string
  endpoint_id: string
  metrics: { gateway: string; control_plane: string }
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-quick-start-'))
const dataDir = join(folder, 'data')
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

async function chooseEnvironment(): Promise<Record<string, string | number>> {
  const ports = await Promise.all(portNames.map(async (name) => [name, await findFreePort()]))
  return {
    SLUICE_DATA_DIR: dataDir,
    GATEWAY_THREADS: 1,
    DATABASE_URL: '',
    ...Object.fromEntries(ports)
  }
}

interface Run {
  child: ChildProcess
  output(): string
  /** Resolves when it has said `ready`; rejects, with everything it said, when it ends before. */
  ready: Promise<void>
  ended: Promise<number | null>
}

function npmStart(env: Record<string, string | number>): Run {
  const child = spawn('npm', ['start'], {
    cwd: projectRoot,
    env: childEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill('SIGTERM'))
  let output = ''
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const ready = new Promise<void>((resolve, reject) => {
    const listen = (piece: Buffer) => {
      output += piece
      if (/^ready$/m.test(output)) resolve()
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    ended.then((code) => reject(new Error(`ended with ${code}:\n${output}`)), reject)
  })
  ready.catch(() => undefined)
  return { child, output: () => output, ready, ended }
}

function summary(): Summary {
  return JSON.parse(readFileSync(join(dataDir, 'quickstart.json'), 'utf8')) as Summary
}

/** The process behind npm, which holds the data folder. */
function pidInCharge(): number {
  return (JSON.parse(readFileSync(join(dataDir, 'lock'), 'utf8')) as { pid: number }).pid
}

async function call(url: string) {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body })
  return { status: response.status, json: (await response.json()) as { result?: string } }
}

async function stop(run: Run): Promise<void> {
  run.child.kill('SIGINT')
  await run.ended
}

const env = await chooseEnvironment()
let first: Summary | undefined
t.test('the first start is ready when a call has gone all the way', async (t) => {
  const run = npmStart(env)
  await run.ready
  first = summary()
  t.equal(statSync(join(dataDir, 'quickstart.json')).mode & 0o777, 0o600)
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  t.equal(first.rpc_url, `http://127.0.0.1:${env.GATEWAY_PORT}/api=${first.api_key}`)
  t.match(first.org_id, /^org_/)
  t.match(first.endpoint_id, /^ep_/)

  const { status, json } = await call(first.rpc_url)
  t.equal(status, 200)
  t.match(json.result, /^0x[0-9a-f]+$/)
  t.equal((await call(first.rpc_url.replace(first.api_key, 'junk'))).status, 401)
  t.equal((await call(first.rpc_url.replace(first.api_key, newApiKey()))).status, 401)
  t.ok(run.output().includes(`curl -s ${first.rpc_url}`), 'the line to paste has the key')

  const login = await fetch(`${first.portal_url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(first.operator)
  })
  t.equal(login.status, 200, 'the operator can log in')
  for (const url of Object.values(first.metrics)) t.equal((await fetch(url)).status, 200, url)

  await t.test('a second one in the same folder is told who holds it', async (t) => {
    const second = npmStart(env)
    t.equal(await second.ended, 1)
    t.match(second.output(), `in use by process ${pidInCharge()}`)
  })

  await stop(run)
  t.equal(run.child.exitCode, 0)
  await t.rejects(fetch(first.metrics.gateway), 'nothing listens any more')
})

t.test('a later start finds what the first one left, even when it was killed', async (t) => {
  const killed = npmStart(env)
  await killed.ready
  t.same(summary(), first)
  process.kill(pidInCharge(), 'SIGKILL')
  await killed.ended

  const run = npmStart(env)
  await run.ready
  t.notMatch(run.output(), 'system tables', 'nothing is set up again')
  t.match(run.output(), 'an earlier start was killed')
  t.same(summary(), first, 'the same key, the same password, the same ids')
  t.equal((await call(summary().rpc_url)).status, 200)
  await stop(run)
})

t.test('a taken port is named before anything is started', async (t) => {
  const run = npmStart({ ...env, GATEWAY_PORT: await holdPort(t) })
  t.equal(await run.ended, 1)
  t.match(run.output(), 'set GATEWAY_PORT to another port')
  t.notMatch(run.output(), 'migrations')
})

t.test('wrong settings are told all at once, with exit code 78', async (t) => {
  const run = npmStart({ ...env, GATEWAY_PORT: 'http', DEMO_CHAIN_PORT: 0 })
  t.equal(await run.ended, 78)
  t.match(run.output(), /GATEWAY_PORT[\s\S]*DEMO_CHAIN_PORT/)
})

t.test(
  'a database that DATABASE_URL names and that is not there is no reason for another',
  async (t) => {
    const nowhere = `mysql://root@127.0.0.1:${await findFreePort()}/sluice`
    const run = npmStart({ ...env, DATABASE_URL: nowhere })
    t.equal(await run.ended, 1)
    t.match(run.output(), 'DATABASE_URL cannot be used: connect ECONNREFUSED')
  }
)

/** A port that is taken as long as the test runs. */
async function holdPort(test: Pick<typeof t, 'teardown'>): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the port has no number')
  return address.port
}
