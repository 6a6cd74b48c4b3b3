// Ctrl-C or systemd sends a stop signal to the whole process group, and npm passes on what it gets itself. The control
// plane then ends once, with 0, and leaves no process. gateway/test/stop-signals does the same to the gateway.

import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { childEnvironment, projectRoot } from '../config.ts'
import { findFreePort } from '../ports.ts'
import { spawn } from './support/processes.ts'

const db = await createTestDatabase()
t.teardown(() => db.drop())

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} to the group of \`npm run control-plane\` ends it with 0`, async (t) => {
    const [port, adminPort] = [await findFreePort(), await findFreePort()]
    const child = spawn('npm', ['run', 'control-plane'], {
      cwd: projectRoot,
      detached: true,
      stdio: 'ignore',
      env: childEnvironment({
        DATABASE_URL: db.url,
        SECRET_KEY: Buffer.alloc(32, 5).toString('base64'),
        JWT_SECRET: 'x'.repeat(32),
        CONTROL_PLANE_HOST: '127.0.0.1',
        CONTROL_PLANE_PORT: port,
        CONTROL_PLANE_ADMIN_PORT: adminPort,
        SLUICE_DATA_DIR: t.testdir()
      })
    })
    const group = -(child.pid as number)
    const isAlive = () => {
      try {
        return process.kill(group, 0)
      } catch {
        return false
      }
    }
    t.teardown(() => isAlive() && process.kill(group, 'SIGKILL'))
    const ended = once(child, 'exit')
    while (!(await isReady(`http://127.0.0.1:${adminPort}/readyz`))) await delay(20)
    process.kill(group, signal)
    process.kill(group, signal)
    t.same(await ended, [0, null])
    while (isAlive()) await delay(20)
  })
}

async function isReady(url: string): Promise<boolean> {
  return await fetch(url).then(
    ({ ok }) => ok,
    () => false
  )
}
