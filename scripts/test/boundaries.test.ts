// The boundaries of the architecture are errors, not advice: each kind of violation is planted in an empty copy of the
// tree, and Biome must refuse every one of them, and nothing of what is allowed.

import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { childEnvironment, projectRoot } from '../config.ts'
import { spawnSync } from './support/processes.ts'

interface Plant {
  path: string
  source: string
  rule: string
}

const imports = (from: string, name = 'thing') => `import { ${name} } from '${from}'\n\n${name}()\n`
const restricted = (path: string, from: string, name?: string): Plant => ({
  path,
  source: imports(from, name),
  rule: 'lint/style/noRestrictedImports'
})

const violations: Plant[] = [
  // The planes never meet but in the database.
  restricted('gateway/plant-plane.ts', '../control-plane/app.ts'),
  restricted('gateway/test/plant-plane.test.ts', '../../control-plane/app.ts'),
  restricted('control-plane/plant-plane.ts', '../gateway/worker.ts'),
  restricted('control-plane/test/plant-plane.test.ts', '../../gateway/worker.ts'),
  restricted('drizzle/plant-plane.ts', '../gateway/worker.ts'),
  restricted('drizzle/plant-other-plane.ts', '../control-plane/app.ts'),
  restricted('scripts/plant-plane.ts', '../gateway/worker.ts'),
  restricted('scripts/plant-other-plane.ts', '../control-plane/app.ts'),
  restricted('gateway/plant-tools.ts', '../scripts/ports.ts'),
  restricted('control-plane/plant-tools.ts', '../bench/main.ts'),
  // The database has few doors.
  restricted('gateway/plant-sql.ts', '../drizzle/client.ts'),
  restricted('gateway/plant-orm.ts', 'drizzle-orm'),
  restricted('gateway/config.ts', '../drizzle/client.ts'),
  restricted('gateway/worker.ts', '../drizzle/client.ts'),
  restricted('gateway/limits/token-bucket.ts', '../../drizzle/schema/index.ts'),
  restricted('gateway/stages/plant-sql.ts', '../../drizzle/client.ts'),
  restricted('control-plane/orgs/service.ts', '../../drizzle/schema/index.ts'),
  restricted('control-plane/orgs/routes.ts', 'drizzle-orm'),
  // Stages are ordered by the pipeline alone, and see uWebSockets.js by its types.
  restricted('gateway/stages/plant-stage.ts', './charge.ts'),
  restricted('gateway/stages/plant-uws.ts', '../uws.ts', 'createApp'),
  // Features talk to services.
  restricted('control-plane/orgs/repo.ts', '../users/repo.ts'),
  restricted('control-plane/users/service.ts', '../orgs/repo.ts'),
  restricted('control-plane/users/routes.ts', './repo.ts'),
  // One importer each.
  restricted('gateway/plant-socket.ts', '@uwsjs/linux-x64-22', 'App'),
  restricted('bench/plant-socket.ts', '@uwsjs/linux-x64-22', 'App'),
  restricted('gateway/plant-cache.ts', 'quick-lru', 'QuickLru'),
  restricted('gateway/plant-metrics.ts', 'prom-client', 'Counter'),
  restricted('control-plane/plant-metrics.ts', 'prom-client', 'Counter'),
  restricted('gateway/plant-http.ts', 'undici', 'request'),
  restricted('gateway/plant-driver.ts', 'mysql2', 'createPool'),
  restricted('control-plane/plant-driver.ts', 'mysql2/promise', 'createPool'),
  restricted('drizzle/plant-driver.ts', 'drizzle-orm/mysql2', 'drizzle'),
  restricted('control-plane/plant-jwt.ts', '@fastify/jwt', 'jwt'),
  // Settings come from one place, and nothing goes round in circles or is forgotten.
  {
    path: 'gateway/plant-env.ts',
    source: 'export const home = process.env.HOME\n',
    rule: 'lint/style/noProcessEnv'
  },
  {
    path: 'drizzle/plant-cycle-a.ts',
    source: "import { b } from './plant-cycle-b.ts'\n\nexport const a = () => b\n",
    rule: 'lint/suspicious/noImportCycles'
  },
  {
    path: 'drizzle/plant-cycle-b.ts',
    source: "import { a } from './plant-cycle-a.ts'\n\nexport const b = () => a\n",
    rule: 'lint/suspicious/noImportCycles'
  },
  {
    path: 'drizzle/plant-promise.ts',
    source: 'const work = async () => 1\n\nwork()\n',
    rule: 'lint/nursery/noFloatingPromises'
  },
  {
    path: 'drizzle/plant-default.ts',
    source: 'const value = 1\nexport default value\n',
    rule: 'lint/style/noDefaultExport'
  },
  {
    path: 'drizzle/plantName.ts',
    source: 'export const value = 1\n',
    rule: 'lint/style/useFilenamingConvention'
  },
  {
    path: 'drizzle/plant-length.ts',
    source: 'export const value = 1\n'.repeat(401),
    rule: 'lint/style/noExcessiveLinesPerFile'
  },
  {
    path: 'drizzle/plant-function.ts',
    source: `export function long(): void {\n${'  Math.random()\n'.repeat(71)}}\n`,
    rule: 'lint/complexity/noExcessiveLinesPerFunction'
  }
]

const allowed = [
  ['gateway/main.ts', '../drizzle/client.ts'],
  ['gateway/keys/key-directory.ts', '../../drizzle/client.ts'],
  ['gateway/keys/change-feed.ts', 'drizzle-orm'],
  ['gateway/telemetry/usage/ledger.ts', '../../../drizzle/client.ts'],
  ['gateway/limits/quota-ledger.ts', '../../drizzle/client.ts'],
  ['gateway/config.ts', '../drizzle/environment.ts'],
  ['gateway/worker.ts', '../drizzle/api-key.ts'],
  ['gateway/uws.ts', '@uwsjs/linux-x64-22'],
  ['gateway/keys/key-cache.ts', 'quick-lru'],
  ['gateway/telemetry/metrics.ts', 'prom-client'],
  ['gateway/upstreams/pool.ts', 'undici'],
  ['gateway/stages/collect.ts', '../rpc/scan.ts'],
  ['gateway/test/scan.test.ts', '../../drizzle/client.ts'],
  ['control-plane/telemetry/metrics.ts', 'prom-client'],
  ['control-plane/auth/access-token.ts', '@fastify/jwt'],
  ['control-plane/auth/repo.ts', '../../drizzle/client.ts'],
  ['control-plane/auth/service.ts', '../users/service.ts'],
  ['drizzle/client.ts', 'mysql2'],
  ['scripts/operator.ts', '../control-plane/users/operator-account.ts'],
  ['bench/stages/scan.ts', '../../gateway/rpc/scan.ts']
] as const

/** `rule file` of every diagnostic that Biome has for these files. */
function lint(files: readonly { path: string; source: string }[]): Set<string> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-boundaries-')))
  try {
    cpSync(join(projectRoot, 'biome.json'), join(folder, 'biome.json'))
    for (const { path, source } of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), source)
    }
    const { stdout } = spawnSync(
      join(projectRoot, 'node_modules/.bin/biome'),
      ['lint', '--reporter=github', '--max-diagnostics=none', '--diagnostic-level=error', '.'],
      { cwd: folder, encoding: 'utf8', env: childEnvironment() }
    )
    const lines = stdout.matchAll(/title=(\S+?),file=([^,]+),/g)
    return new Set([...lines].map(([, rule, file = '']) => `${rule} ${relative(folder, file)}`))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

t.test('every kind of violation is an error', async (t) => {
  const found = lint(violations)
  for (const { path, rule } of violations) t.ok(found.has(`${rule} ${path}`), `${rule} in ${path}`)
})

t.test('what the architecture allows is allowed', async (t) => {
  const forbidden = restricted('gateway/plant-plane.ts', '../control-plane/app.ts')
  const permitted = allowed.map(([path, from]) => ({ path, source: imports(from) }))
  const found = lint([...permitted, forbidden])
  t.same(
    [...found].filter((line) => line.includes(forbidden.rule)),
    [`${forbidden.rule} ${forbidden.path}`],
    'the one that is not allowed, and no other'
  )
})
