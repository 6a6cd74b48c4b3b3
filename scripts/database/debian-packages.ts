// A MariaDB server from Debian's or Ubuntu's own packages, unpacked into the data folder: nothing is installed, and no
// right is needed but to write there. The packages are found by following `apt-cache depends` from the server, as their
// names differ between releases; what the machine has already is left out. Where apt's lists are missing or older than
// the mirror, they are fetched into a private folder.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Progress } from '../report.ts'
import { Setback } from '../setback.ts'

const run = promisify(execFile)
const outputBytesMax = 64 * 1024 * 1024
const downloadTimeoutMs = 600_000
const tools = ['apt-get', 'apt-cache', 'dpkg-deb', 'dpkg-query']

export interface DebianOptions {
  /** Where the tree goes; its parent holds what is on its way. */
  tree: string
  pathFolders: readonly string[]
  env: Record<string, string | undefined>
  progress: Progress
  signal: AbortSignal
}

/** Whether this machine has the tools of Debian. */
export function hasDebianTools(pathFolders: readonly string[]): boolean {
  return tools.every((tool) => pathFolders.some((folder) => existsSync(join(folder, tool))))
}

/** Downloads and unpacks the server. Throws Setback with apt's own last words. */
export async function unpackDebianServer(options: DebianOptions): Promise<void> {
  const draft = `${options.tree}.new`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(join(draft, 'packages'), { recursive: true })
  try {
    const packages = await download(options, draft)
    options.progress(`unpacking ${packages.length} packages`)
    for (const file of packages) await tool(options, 'dpkg-deb', ['-x', file, draft], draft)
    rmSync(join(draft, 'packages'), { recursive: true })
    rmSync(options.tree, { recursive: true, force: true })
    renameSync(draft, options.tree)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** First with the lists that the machine has; a missing name or a file that the mirror no longer has sends us for new ones. */
async function download(options: DebianOptions, draft: string): Promise<string[]> {
  try {
    return await downloadWith(options, draft, [])
  } catch (error) {
    options.signal.throwIfAborted()
    if (!(error instanceof Setback)) throw error
    const lists = privateLists(draft)
    options.progress("fetching the distribution's package lists")
    await tool(options, 'apt-get', [...lists, 'update'], draft)
    return await downloadWith(options, draft, lists)
  }
}

async function downloadWith(
  options: DebianOptions,
  draft: string,
  aptOptions: readonly string[]
): Promise<string[]> {
  const server = await findServerPackage(options, draft, aptOptions)
  const names = await missingPackages(options, draft, aptOptions, server)
  options.progress(`downloading ${names.length} packages (${names.join(' ')})`)
  const folder = join(draft, 'packages')
  // As root apt would fetch as its own user, who cannot write here.
  await tool(
    options,
    'apt-get',
    [...aptOptions, '-o', 'APT::Sandbox::User=root', 'download', ...names],
    folder
  )
  return readdirSync(folder)
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(folder, name))
}

/** `mariadb-server-core`, or the newest of `mariadb-server-core-10.6` and its like. */
async function findServerPackage(
  options: DebianOptions,
  cwd: string,
  aptOptions: readonly string[]
): Promise<string> {
  const stem = 'mariadb-server-core'
  const listed = await tool(options, 'apt-cache', [...aptOptions, 'pkgnames', stem], cwd)
  const names = listed.split('\n').filter((name) => /^mariadb-server-core(-[\d.]+)?$/.test(name))
  const newest = names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  if (newest === undefined) throw new Setback(`apt knows no package ${stem}`)
  return names.includes(stem) ? stem : newest
}

/** The server and everything it depends on that this machine does not have. */
async function missingPackages(
  options: DebianOptions,
  cwd: string,
  aptOptions: readonly string[],
  server: string
): Promise<string[]> {
  const installed = await installedPackages(options, cwd)
  const missing = new Set([server])
  for (const name of missing) {
    const text = await tool(options, 'apt-cache', [...aptOptions, 'depends', name], cwd)
    for (const alternatives of readDependencies(text)) {
      if (alternatives.some((alternative) => installed.has(alternative))) continue
      const first = alternatives[0]
      if (first !== undefined) missing.add(first)
    }
  }
  return [...missing]
}

/**
 * The groups of alternatives in what `apt-cache depends` prints: `|Depends: a` continues in the next line, a deeper
 * line names a real package behind the one above it, `<name>` is virtual.
 */
export function readDependencies(text: string): string[][] {
  const lines = text.split('\n').slice(1)
  const end = lines.findIndex((line) => /^ {1,2}\|?(?!Pre|Depends)\w+: /.test(line))
  const groups: string[][] = []
  let continues = false
  for (const line of end === -1 ? lines : lines.slice(0, end)) {
    const [, bar, name] = /^ {1,2}(\|?)(?:Pre)?Depends: (\S+)$/.exec(line) ?? []
    if (name !== undefined && !continues) groups.push([])
    if (name !== undefined) continues = bar === '|'
    const candidate = name ?? line.trim()
    if (/^[a-z0-9]/.test(candidate)) groups.at(-1)?.push(candidate)
  }
  return groups.filter((group) => group.length > 0)
}

async function installedPackages(options: DebianOptions, cwd: string): Promise<Set<string>> {
  const format = `\${db:Status-Abbrev} \${Package}\n`
  const text = await tool(options, 'dpkg-query', ['-W', '-f', format], cwd)
  const names = text.split('\n').flatMap((line) => /^.i\S*\s+(\S+)$/.exec(line)?.[1] ?? [])
  return new Set(names)
}

function privateLists(draft: string): string[] {
  const lists = join(draft, 'packages/lists')
  const cache = join(draft, 'packages/cache')
  mkdirSync(join(lists, 'partial'), { recursive: true })
  mkdirSync(join(cache, 'archives/partial'), { recursive: true })
  const settings = [
    `Dir::State::Lists=${lists}`,
    `Dir::Cache=${cache}`,
    'APT::Sandbox::User=root',
    // Else a mirror that cannot be reached is a mere warning, and the lists are empty.
    'APT::Update::Error-Mode=any'
  ]
  return settings.flatMap((setting) => ['-o', setting])
}

async function tool(
  options: DebianOptions,
  name: string,
  args: readonly string[],
  cwd: string
): Promise<string> {
  try {
    const { stdout } = await run(name, args, {
      cwd,
      env: { ...options.env, LC_ALL: 'C' },
      maxBuffer: outputBytesMax,
      timeout: downloadTimeoutMs,
      signal: options.signal
    })
    return stdout
  } catch (error) {
    options.signal.throwIfAborted()
    const stderr = (error as { stderr?: string }).stderr ?? ''
    const words = stderr.trim().split('\n').slice(-3).join(' ') || (error as Error).message
    throw new Setback(`${name}: ${words}`, { cause: error })
  }
}
