// .env.example is what a person copies from: it must say what the processes really read.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../config.ts'
import { envExample, settingNames } from '../env-example.ts'

t.test('.env.example has every setting of both processes, with its default', async (t) => {
  const committed = readFileSync(join(projectRoot, '.env.example'), 'utf8')
  t.equal(committed, envExample(), 'run `node scripts/env-example.ts`')
  const names = readFileSync(join(projectRoot, 'drizzle/setting-names.ts'), 'utf8')
  t.equal(names, settingNames(), 'run `node scripts/env-example.ts`')
  for (const name of ['DATABASE_URL', 'SECRET_KEY', 'JWT_SECRET']) {
    t.match(committed, new RegExp(`^${name}=$`, 'm'), `${name} has no default`)
  }
  for (const line of ['GATEWAY_PORT=8080', 'CONTROL_PLANE_PORT=3000', 'QUOTA_STATUS=402']) {
    t.match(committed, new RegExp(`^#${line}$`, 'm'), line)
  }
})
