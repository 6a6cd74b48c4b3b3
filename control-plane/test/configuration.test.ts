// Configuration: everything that is wrong is told at once, and no secret is repeated while telling it.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ConfigurationError } from '../../drizzle/environment.ts'
import { readConfig } from '../config.ts'

const key = () => randomBytes(32).toString('base64')
const sound = {
  DATABASE_URL: 'mysql://user:pass@db.example.com:3306/sluice',
  SECRET_KEY: key(),
  JWT_SECRET: 'j'.repeat(32)
}

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return error.problems
  }
}

t.test('what must be set is the database and two secrets', async (t) => {
  const names = problemsOf({}).map((problem) => problem.split(' ')[0])
  t.same(names.sort(), ['DATABASE_URL', 'JWT_SECRET', 'SECRET_KEY'])
  t.same(problemsOf(sound), [])
})

t.test('every problem is told at once, each with its variable and what it takes', async (t) => {
  const wrong = {
    DATABASE_URL: 'postgres://x',
    SECRET_KEY: 'too-short',
    JWT_SECRET: `${'j'.repeat(32)},short`,
    CONTROL_PLANE_PORT: '70000',
    CONTROL_PLANE_ADMIN_PORT: 'http',
    PUBLIC_RPC_URL: 'rpc.example.com',
    PORTAL_ORIGIN: 'https://portal.example.com/',
    TRUSTED_PROXIES: '10.0.0.0/8,everyone',
    SMTP_URL: 'mail.example.com',
    MAIL_FROM: 'a@b\r\nBcc: c@d',
    KEY_REVEAL: 'maybe',
    REGISTRATION: 'ajar',
    LOG_LEVEL: 'loud',
    REST_RATE_PER_MINUTE: '0',
    AUTH_RATE_PER_MINUTE: '-1',
    PASSWORD_QUEUE_MAX: '1.5',
    REQUEST_BYTES_MAX: '1',
    REQUEST_TIMEOUT: '0',
    DRAIN_TIMEOUT: '301',
    DATABASE_CONNECTIONS_MAX: '0',
    ORGS_PER_USER_MAX: '0',
    ENDPOINTS_PER_ORG_MAX: '0'
  }
  const problems = problemsOf(wrong)
  t.same(problems.map((problem) => problem.split(' ')[0]).sort(), Object.keys(wrong).sort())
  for (const secret of ['too-short', 'j'.repeat(32)]) {
    t.notMatch(problems.join('\n'), secret)
  }
})

t.test('secrets may be lists, the newest first, and may come from files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'configuration-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'keys')
  const [newer, older] = [key(), key()]
  writeFileSync(file, `${newer},${older}\n`)
  const { SECRET_KEY: _unset, ...rest } = sound
  t.same(readConfig({ ...rest, SECRET_KEY_FILE: file }).secretKeys, [newer, older])
  t.match(problemsOf({ ...sound, SECRET_KEY_FILE: file }), [/both set/])
  t.match(problemsOf({ ...rest, SECRET_KEY_FILE: join(folder, 'nope') }), [/ENOENT/])
})

t.test('an address that ends in a slash means the same', async (t) => {
  const { rpcUrl } = readConfig({ ...sound, PUBLIC_RPC_URL: 'https://rpc.example.com/eth/' })
  t.equal(rpcUrl, 'https://rpc.example.com/eth')
})
