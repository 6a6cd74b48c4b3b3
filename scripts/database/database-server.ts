// Where the database comes from, from the best to the last resort: the one that DATABASE_URL names (and then no other,
// whatever happens); the private instance that the data folder holds; a server program of the machine, run as a private
// instance; Debian's or Ubuntu's packages, unpacked into the data folder; a docker engine that answers; or one screen
// that says what a person can do. Nothing here needs root, and nothing outside the data folder is changed.
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openDatabase } from '../../drizzle/client.ts'
import type { ChildProcesses } from '../child-processes.ts'
import { childEnvironment, programFolders, projectRoot } from '../config.ts'
import type { DataFolder } from '../data-folder.ts'
import { requireDiskSpace } from '../disk-space.ts'
import type { Progress } from '../report.ts'
import { Setback } from '../setback.ts'
import { hasDebianTools, unpackDebianServer } from './debian-packages.ts'
import { hasDockerEngine, startDockerInstance } from './docker-instance.ts'
import { flavourOfInstance, startPrivateInstance } from './private-instance.ts'
import { findInstalledServer, findUnpackedServer, type ServerProgram } from './server-program.ts'
import { prepareServerUser } from './server-user.ts'

/** The packages, unpacked, the system tables, and our own tables: about 140 MB, and as much again on the way. */
const bytesToBegin = 280 * 1024 * 1024
const bytesToGoOn = 32 * 1024 * 1024

export interface DatabaseServer {
  url: string
  /** e.g. `MariaDB 10.11.19, private, on 127.0.0.1:40123`. */
  description: string
  /** Resolves, with how, when it ends by itself; never for one that is not ours. */
  ended: Promise<string>
  stop(graceMs: number): Promise<void>
}

export interface DatabaseServerOptions {
  dataFolder: DataFolder
  /** Undefined or empty: run a private one. */
  databaseUrl?: string
  /** Further options of a private one. */
  settings?: readonly string[]
  processes: ChildProcesses
  progress: Progress
  signal: AbortSignal
}

/** Throws Setback, or the driver's own error for a `databaseUrl` that cannot be used. */
export async function openDatabaseServer(options: DatabaseServerOptions): Promise<DatabaseServer> {
  if (options.databaseUrl) return await useGivenServer(options.databaseUrl)
  const flavour = flavourOfInstance(options.dataFolder.at('database'))
  requireDiskSpace(options.dataFolder.path, flavour === undefined ? bytesToBegin : bytesToGoOn)
  const refusals: string[] = []
  const program = await findProgram(options, refusals)
  if (program !== undefined) return await runProgram(options, program)
  if (await hasDockerEngine(childEnvironment())) {
    const docker = await startDockerInstance({
      folder: options.dataFolder.path,
      env: childEnvironment(),
      progress: options.progress,
      signal: options.signal
    })
    return {
      url: docker.url,
      description: `MariaDB in a container, on 127.0.0.1:${docker.port}`,
      ended: new Promise(() => undefined),
      stop: docker.stop
    }
  }
  refusals.push('docker: no engine answers')
  throw noDatabase(refusals)
}

async function useGivenServer(url: string): Promise<DatabaseServer> {
  const database = openDatabase(url, { connectionsMax: 1 })
  try {
    const [rows] = await database.pool.query('SELECT VERSION() AS version')
    const version = (rows as { version: string }[])[0]?.version
    const { host, pathname } = new URL(url)
    return {
      url,
      description: `DATABASE_URL: ${host}${pathname}, version ${version}`,
      ended: new Promise(() => undefined),
      stop: async () => undefined
    }
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    throw new Setback(`DATABASE_URL cannot be used: ${message || code}`, { cause: error })
  } finally {
    await database.close()
  }
}

/** A server program that fits the data that is there; undefined, with the reasons, when there is none to be had. */
async function findProgram(
  options: DatabaseServerOptions,
  refusals: string[]
): Promise<ServerProgram | undefined> {
  const tree = options.dataFolder.at('database/server')
  const flavour = flavourOfInstance(options.dataFolder.at('database'))
  const fits = (program: ServerProgram | undefined) =>
    program !== undefined && (flavour === undefined || flavour === program.flavour)

  const unpacked = existsSync(tree) ? findUnpackedServer(tree) : undefined
  if (fits(unpacked)) return unpacked
  const installed = findInstalledServer(programFolders())
  if (fits(installed)) return installed
  refusals.push(
    installed === undefined
      ? 'this machine: neither mariadbd nor mysqld is installed'
      : `this machine: ${installed.title} cannot read the ${flavour} data in ${options.dataFolder.path}`
  )
  if (copyUnpackedServer(tree)) {
    const copied = findUnpackedServer(tree)
    if (fits(copied)) return copied
  }
  if (!hasDebianTools(programFolders())) {
    refusals.push('packages: this is neither Debian nor Ubuntu')
    return undefined
  }
  try {
    await unpackDebianServer({
      tree,
      pathFolders: programFolders(),
      env: childEnvironment(),
      progress: options.progress,
      signal: options.signal
    })
    const fetched = findUnpackedServer(tree)
    if (fits(fetched)) return fetched
    refusals.push('packages: the server in them does not run on this machine')
  } catch (error) {
    if (!(error instanceof Setback)) throw error
    refusals.push(`packages: ${error.message}`)
  }
  return undefined
}

/** Another data folder of this clone may have unpacked the packages already: then nothing has to be downloaded again. */
function copyUnpackedServer(tree: string): boolean {
  const others = ['.data', '.data-test'].map((name) => join(projectRoot, name, 'database/server'))
  const source = others.find((other) => other !== tree && findUnpackedServer(other) !== undefined)
  if (source === undefined) return false
  const draft = `${tree}.new`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(dirname(tree), { recursive: true, mode: 0o700 })
  cpSync(source, draft, { recursive: true, verbatimSymlinks: true })
  rmSync(tree, { recursive: true, force: true })
  renameSync(draft, tree)
  return true
}

async function runProgram(
  options: DatabaseServerOptions,
  program: ServerProgram
): Promise<DatabaseServer> {
  const folder = options.dataFolder.at('database')
  const user = prepareServerUser(options.dataFolder.path, folder)
  const { url, port, child } = await startPrivateInstance({ ...options, folder, program, user })
  const note = user.note === null ? '' : ` (${user.note})`
  return {
    url,
    description: `${program.title}, private, on 127.0.0.1:${port}${note}`,
    ended: child.ended.then((how) => `${how}\n${child.logTail()}`),
    stop: child.stop
  }
}

function noDatabase(refusals: readonly string[]): Setback {
  return new Setback(`there is no database, and none could be brought up:

  ${refusals.join('\n  ')}

Any one of these is enough:

  - name one that you have:   DATABASE_URL=mysql://user:password@host:3306/sluice npm start
    (MySQL 8 or MariaDB 10.6 and later; the database must exist and may be empty)
  - macOS:                    brew install mariadb
  - Fedora, RHEL:             dnf install mariadb-server
  - Arch:                     pacman -S mariadb
  - Debian, Ubuntu:           connect to the network once, or apt-get install mariadb-server-core
  - anywhere:                 start docker

Then run the same command again.`)
}
