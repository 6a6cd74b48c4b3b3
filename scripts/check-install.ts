// `node scripts/check-install.ts all|production`: whether each package that package-lock.json names, and that belongs on
// this machine, is in node_modules in the version that it names. It runs before anything is known to be installed, so it
// imports nothing but Node.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface LockedPackage {
  version?: string
  dev?: boolean
  devOptional?: boolean
  optional?: boolean
  os?: readonly string[]
  cpu?: readonly string[]
  libc?: string | readonly string[]
}

const root = join(import.meta.dirname, '..')
const shownMax = 10

/** What is missing, each with its reason. */
function problems(withDevelopment: boolean): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const packages = Object.entries((lock.packages ?? {}) as Record<string, LockedPackage>)
  return packages
    .filter(([path, locked]) => path !== '' && belongsHere(locked, withDevelopment))
    .flatMap(([path, { version }]) => {
      const manifest = join(root, path, 'package.json')
      if (!existsSync(manifest)) return [`${path} is not there`]
      const found = (JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string }).version
      return found === version ? [] : [`${path} is ${found}, not ${version}`]
    })
}

/** An optional package is made for one platform, or is needed by such a one alone. */
function belongsHere(locked: LockedPackage, withDevelopment: boolean): boolean {
  if (!withDevelopment && (locked.dev || locked.devOptional)) return false
  if (!locked.optional) return true
  const { os, cpu, libc } = locked
  if (os === undefined && cpu === undefined) return false
  if (os !== undefined && !os.includes(process.platform)) return false
  if (cpu !== undefined && !cpu.includes(process.arch)) return false
  return libc === undefined || [libc].flat().includes('glibc')
}

const missing = problems(process.argv[2] !== 'production')
for (const problem of missing.slice(0, shownMax)) process.stderr.write(`${problem}\n`)
if (missing.length > shownMax) process.stderr.write(`and ${missing.length - shownMax} more\n`)
process.exitCode = missing.length === 0 ? 0 : 1
