// package-lock.json as `npm ci` wants it, of any npm: whole, with a checksum for whatever it installs on any platform, and
// without the host of a registry. And production needs no development package.
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { projectRoot } from '../config.ts'

interface Locked {
  version?: string
  resolved?: string
  integrity?: string
  inBundle?: boolean
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

const readJson = (name: string) => JSON.parse(readFileSync(join(projectRoot, name), 'utf8'))
const packages: Record<string, Locked> = readJson('package-lock.json').packages
const manifest: Locked = readJson('package.json')

/** Where Node finds the package \`name\` from \`path\`; undefined when the lockfile has none. */
function resolve(path: string, name: string): string | undefined {
  for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    const candidate = `${from}${from === '' ? '' : '/'}node_modules/${name}`
    if (candidate in packages) return candidate
    if (from === '') return undefined
    if (!from.includes('/node_modules/')) from = ''
  }
}

t.test('each dependency of each package is in the lockfile, optional ones too', async (t) => {
  const missing = Object.entries(packages).flatMap(([path, locked]) =>
    Object.keys({
      ...locked.dependencies,
      ...locked.optionalDependencies,
      ...(path === '' ? locked.devDependencies : {})
    })
      .filter((name) => resolve(path, name) === undefined)
      .map((name) => `${path} needs ${name}`)
  )
  t.same(missing, [])
})

t.test('each package has a checksum, and none names a registry', async (t) => {
  for (const [path, { version, integrity, resolved, inBundle }] of Object.entries(packages)) {
    if (path === '' || inBundle) continue
    if (!/^sha512-/.test(integrity ?? '')) t.fail(`${path}@${version} has no checksum`)
    if (resolved !== undefined) t.fail(`${path} names ${resolved}`)
  }
})

t.test('the lockfile is that of package.json', async (t) => {
  const { dependencies, optionalDependencies, devDependencies } = packages[''] ?? {}
  t.same(dependencies, manifest.dependencies)
  t.same(optionalDependencies, manifest.optionalDependencies)
  t.same(devDependencies, manifest.devDependencies)
})

t.test('what runs in production imports no development package', async (t) => {
  const seen = new Set<string>()
  const imported = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    const source = readFileSync(file, 'utf8')
    for (const [, from = ''] of source.matchAll(
      /^(?:import|export|\}) ?(?!type).*?from '([^']+)'/gm
    )) {
      if (from.startsWith('.')) visit(join(dirname(file), from))
      else if (!from.startsWith('node:')) {
        imported.add(
          from
            .split('/')
            .slice(0, from.startsWith('@') ? 2 : 1)
            .join('/')
        )
      }
    }
  }
  const starts = ['gateway/main.ts', 'gateway/worker.ts', 'control-plane/main.ts']
  for (const name of [...starts, 'scripts/migrate.ts', 'scripts/operator.ts', 'scripts/health.ts'])
    visit(join(projectRoot, name))
  t.ok(seen.size > 100, [...seen].map((file) => relative(projectRoot, file)).join(' '))
  t.ok(imported.has('fastify') && imported.has('undici') && imported.has('mysql2'))
  t.same(
    [...imported].filter((name) => !(name in (manifest.dependencies ?? {}))),
    []
  )
})
