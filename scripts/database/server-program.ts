// A database server program and where its own files lie: one that the machine has, or one that was unpacked into the
// data folder.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface ServerProgram {
  flavour: 'mariadb' | 'mysql'
  /** As a person would name it, e.g. `MariaDB 10.11.19`. */
  title: string
  path: string
  /** Options that tell it where its own files are; none for one that is installed. */
  placeOptions: string[]
  /** Folders of shared libraries that it brings along. */
  libraryFolders: string[]
  /** The folder of the SQL that makes MariaDB's system tables; null for MySQL, which has it inside. */
  systemSqlFolder: string | null
}

const programNames = ['mariadbd', 'mysqld']
/** Where servers are installed although the PATH of an ordinary user does not say so. */
const usualFolders = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/libexec',
  '/opt/homebrew/bin',
  '/opt/homebrew/opt/mariadb/bin',
  '/opt/homebrew/opt/mysql/bin',
  '/usr/local/opt/mariadb/bin',
  '/usr/local/opt/mysql/bin',
  '/usr/local/mysql/bin'
]
const usualSystemSqlFolders = ['/usr/share/mariadb', '/usr/share/mysql']

/** The first server on the machine that can be used, or undefined. */
export function findInstalledServer(pathFolders: readonly string[]): ServerProgram | undefined {
  for (const folder of [...pathFolders, ...usualFolders]) {
    for (const name of programNames) {
      const path = join(folder, name)
      const program = existsSync(path) ? describeInstalled(path) : undefined
      if (program !== undefined) return program
    }
  }
  return undefined
}

/** The server in a tree of unpacked Debian packages, or undefined. */
export function findUnpackedServer(tree: string): ServerProgram | undefined {
  const path = programNames
    .map((name) => join(tree, 'usr/sbin', name))
    .find((file) => existsSync(file))
  const share = ['mariadb', 'mysql']
    .map((name) => join(tree, 'usr/share', name))
    .find((folder) => existsSync(join(folder, 'english/errmsg.sys')))
  if (path === undefined || share === undefined) return undefined
  const libraryFolders = foldersOfLibraries(tree)
  const identity = identify(path, libraryFolders)
  if (identity === undefined) return undefined
  return {
    ...identity,
    path,
    libraryFolders,
    systemSqlFolder: identity.flavour === 'mariadb' ? share : null,
    placeOptions: [
      `--basedir=${join(tree, 'usr')}`,
      `--lc-messages-dir=${share}`,
      `--character-sets-dir=${join(share, 'charsets')}`,
      `--plugin-dir=${join(tree, 'usr/lib/mysql/plugin')}`
    ]
  }
}

function describeInstalled(path: string): ServerProgram | undefined {
  const identity = identify(path, [])
  if (identity === undefined) return undefined
  const common = { ...identity, path, placeOptions: [], libraryFolders: [] }
  if (identity.flavour === 'mysql') return { ...common, systemSqlFolder: null }
  const charsets = /^character-sets-dir\s+(\S.*)$/m.exec(
    run(path, ['--no-defaults', '--verbose', '--help'], []) ?? ''
  )?.[1]
  const systemSqlFolder = [
    ...(charsets === undefined ? [] : [dirname(charsets)]),
    join(dirname(path), '../share/mariadb'),
    join(dirname(path), '../share/mysql'),
    ...usualSystemSqlFolders
  ].find((folder) => systemSqlFiles(folder).length > 0)
  return systemSqlFolder === undefined ? undefined : { ...common, systemSqlFolder }
}

// MariaDB names these mysql_… or mariadb_… depending on its version. The order is that of mariadb-install-db.
const systemSqlNames = [
  'system_tables',
  'performance_tables',
  'system_tables_data',
  'maria_add_gis_sp_bootstrap',
  'sys_schema'
]
const requiredNames = 3

/** The files that make MariaDB's system tables, in order; none when the folder does not have them. */
export function systemSqlFiles(folder: string): string[] {
  const files = systemSqlNames.map((name) =>
    [name, `mysql_${name}`, `mariadb_${name}`]
      .map((variant) => join(folder, `${variant}.sql`))
      .find((file) => existsSync(file))
  )
  if (files.slice(0, requiredNames).includes(undefined)) return []
  return files.filter((file) => file !== undefined)
}

/** `mysqld  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)`; MariaDB has its name in the version. */
function identify(
  path: string,
  libraryFolders: readonly string[]
): Pick<ServerProgram, 'flavour' | 'title'> | undefined {
  const text = run(path, ['--no-defaults', '--version'], libraryFolders)
  const version = text === undefined ? undefined : /Ver (\d+\.\d+\.\d+)/.exec(text)?.[1]
  if (text === undefined || version === undefined) return undefined
  return text.includes('MariaDB')
    ? { flavour: 'mariadb', title: `MariaDB ${version}` }
    : { flavour: 'mysql', title: `MySQL ${version}` }
}

function run(path: string, args: string[], libraryFolders: readonly string[]): string | undefined {
  try {
    return execFileSync(path, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: libraryEnvironment(libraryFolders)
    })
  } catch {
    return undefined
  }
}

/** The environment of a server: nothing of ours, and its libraries. */
export function libraryEnvironment(libraryFolders: readonly string[]): Record<string, string> {
  return {
    LC_ALL: 'C',
    TZ: 'UTC',
    ...(libraryFolders.length === 0 ? {} : { LD_LIBRARY_PATH: libraryFolders.join(':') })
  }
}

/** Debian puts libraries into lib/<architecture>-linux-gnu, under / or /usr. */
function foldersOfLibraries(tree: string): string[] {
  return ['lib', 'usr/lib']
    .map((name) => join(tree, name))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [folder, ...readdirSync(folder).map((name) => join(folder, name))])
    .filter((folder) => statSync(folder).isDirectory())
    .filter((folder) => readdirSync(folder).some((name) => /\.so(\.|$)/.test(name)))
}
