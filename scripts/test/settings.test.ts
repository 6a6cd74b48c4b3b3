// Everything that is wrong with the settings of any part is told at once, with exit code 78, before anything is started.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { childEnvironment, projectRoot } from '../config.ts'
import { spawn } from './support/processes.ts'

async function run(file: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [file], {
    cwd: projectRoot,
    env: childEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>
  ])
  return { code, err, out }
}

t.test(
  'npm start tells what is wrong with both planes and itself, and starts nothing',
  async (t) => {
    const folder = join(t.testdir(), 'data')
    const { code, err } = await run('scripts/start.ts', {
      SLUICE_DATA_DIR: folder,
      GATEWAY_PORT: '99999',
      KEY_CACHE_TTL: 'abc',
      QUOTA_STATUS: '403',
      USAGE_MINUTES_RETENTION: '1',
      GATEWAY_THREDS: '3'
    })
    t.equal(code, 78)
    for (const name of ['GATEWAY_PORT', 'KEY_CACHE_TTL', 'QUOTA_STATUS', 'USAGE_MINUTES_RETENTION'])
      t.equal(err.split(`${name} is not valid`).length, 2, `${name} once`)
    t.match(err, 'GATEWAY_THREDS is no setting: did you mean GATEWAY_THREADS?')
    t.match(err, '5 problem(s)')
    t.notOk(existsSync(folder))
  }
)

for (const file of ['gateway/main.ts', 'control-plane/main.ts', 'scripts/migrate.ts']) {
  t.test(`${file} refuses a misspelt setting, also one of another part`, async (t) => {
    const { code, err } = await run(file, {
      DATABASE_URL: 'mysql://nobody@127.0.0.1:1/none',
      SECRET_KEY: Buffer.alloc(32).toString('base64'),
      JWT_SECRET: 'x'.repeat(32),
      CONTROL_PLAN_PORT: '3000'
    })
    t.equal(code, 78)
    t.match(err, 'CONTROL_PLAN_PORT is no setting: did you mean CONTROL_PLANE_PORT?')
  })
}
