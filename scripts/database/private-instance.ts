// A database server of our own inside the data folder: reachable on the loopback address alone, on a port that stays the
// same from start to start, by one user with a random password, and with no socket file (a path of more than 107 bytes
// would be too long for one, and a killed server would leave it behind). The system tables are made in a draft folder
// that is renamed when it is complete, so a start that was killed half-way is simply done again.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { isConnectionFailure, openDatabase } from '../../drizzle/client.ts'
import type { Child, ChildProcesses } from '../child-processes.ts'
import { findFreePort, isFree } from '../ports.ts'
import { readPrivateJson, writePrivateJson } from '../private-file.ts'
import type { Progress } from '../report.ts'
import { Setback } from '../setback.ts'
import { libraryEnvironment, type ServerProgram, systemSqlFiles } from './server-program.ts'
import { giveTree, type ServerUser } from './server-user.ts'

const databaseName = 'sluice'
const userName = 'sluice'
/** Crash recovery can take a while; a server that is alive gets so long to answer. */
const startTimeoutMs = 120_000
const pollMs = 25

/** Small enough for a laptop, large enough for the tests and the demo. */
const serverOptions = [
  '--bind-address=127.0.0.1',
  '--socket=',
  '--skip-name-resolve',
  '--character-set-server=utf8mb4',
  '--max-connections=300',
  '--innodb-buffer-pool-size=64M',
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-use-native-aio=OFF',
  '--performance-schema=OFF',
  '--key-buffer-size=1M'
]
const flavourOptions = {
  mariadb: ['--aria-pagecache-buffer-size=8M', '--innodb-log-file-size=16M'],
  // Debian's build looks for a folder for files by default, and does not start where there is none.
  mysql: ['--mysqlx=OFF', '--skip-log-bin', '--secure-file-priv=NULL']
}

export interface PrivateInstanceOptions {
  /** Holds `data/`, `tmp/`, `instance.json`, `init.sql`. */
  folder: string
  program: ServerProgram
  user: ServerUser
  /** Further options of the server. */
  settings?: readonly string[]
  processes: ChildProcesses
  progress: Progress
  signal: AbortSignal
}

export interface PrivateInstance {
  url: string
  port: number
  child: Child
}

interface Instance {
  flavour: ServerProgram['flavour']
  port: number
  password: string
}

/** The flavour of the data that the folder holds, or undefined. */
export function flavourOfInstance(folder: string): ServerProgram['flavour'] | undefined {
  return readPrivateJson<Instance>(join(folder, 'instance.json'))?.flavour
}

/** Makes the instance where there is none, and starts it. Throws Setback with the server's last words. */
export async function startPrivateInstance(
  options: PrivateInstanceOptions
): Promise<PrivateInstance> {
  const { folder } = options
  mkdirSync(join(folder, 'tmp'), { recursive: true, mode: 0o700 })
  if (!existsSync(join(folder, 'data'))) {
    options.progress('making the system tables')
    await initialise(options)
  }
  const instance = await rememberInstance(options)
  writeInitFile(join(folder, 'init.sql'), instance.password)
  if (options.user.id !== null) giveTree(folder, options.user.id)
  options.progress('starting')
  const child = await options.processes.start({
    name: 'database',
    program: options.program.path,
    args: [
      ...commonOptions(options, 'data'),
      ...serverOptions,
      ...flavourOptions[options.program.flavour],
      `--port=${instance.port}`,
      `--init-file=${join(folder, 'init.sql')}`,
      ...(options.settings ?? [])
    ],
    env: libraryEnvironment(options.program.libraryFolders),
    cwd: folder,
    ...(options.user.id === null ? {} : { uid: options.user.id })
  })
  const url = `mysql://${userName}:${instance.password}@127.0.0.1:${instance.port}/${databaseName}`
  await waitUntilItAnswers(url, child, options.signal)
  return { url, port: instance.port, child }
}

/** The port stays the same as long as nobody else takes it. */
async function rememberInstance(options: PrivateInstanceOptions): Promise<Instance> {
  const path = join(options.folder, 'instance.json')
  const known = readPrivateJson<Instance>(path)
  const port = known !== undefined && (await isFree(known.port)) ? known.port : await findFreePort()
  const instance = {
    flavour: options.program.flavour,
    port,
    password: known?.password ?? randomBytes(24).toString('base64url')
  }
  writePrivateJson(path, instance)
  return instance
}

/**
 * Run by the server before it lets anybody in, at every start: one user with the password that we hold, and none of the
 * accounts without one that a new instance has. One statement a line, as MySQL reads this file.
 */
function writeInitFile(path: string, password: string): void {
  const accounts = ['127.0.0.1', 'localhost'].map((host) => `'${userName}'@'${host}'`)
  const lines = [
    ...accounts.map(
      (account) => `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${password}';`
    ),
    ...accounts.map((account) => `ALTER USER ${account} IDENTIFIED BY '${password}';`),
    ...accounts.map((account) => `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`),
    ...['localhost', '127.0.0.1', '::1', hostname().toLowerCase()].map(
      (host) => `DROP USER IF EXISTS 'root'@'${host}';`
    ),
    `CREATE DATABASE IF NOT EXISTS ${databaseName} CHARACTER SET utf8mb4;`
  ]
  rmSync(path, { force: true })
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
}

function commonOptions(options: PrivateInstanceOptions, dataName: string): string[] {
  const { folder, program } = options
  return [
    // Must be the first: the machine's own configuration is for the machine's own server.
    '--no-defaults',
    ...program.placeOptions,
    `--datadir=${join(folder, dataName)}`,
    `--tmpdir=${join(folder, 'tmp')}`,
    // Only a root process that we could not give another user gets here as root; servers refuse that unless told.
    ...(process.getuid?.() === 0 && options.user.id === null ? ['--user=root'] : [])
  ]
}

async function initialise(options: PrivateInstanceOptions): Promise<void> {
  const { folder, program, user } = options
  const draft = join(folder, 'data.new')
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { mode: 0o700 })
  if (user.id !== null) giveTree(folder, user.id)
  const bySql = program.systemSqlFolder !== null
  const args = [
    ...commonOptions(options, 'data.new'),
    '--innodb-use-native-aio=OFF',
    ...flavourOptions[program.flavour],
    ...(bySql ? ['--bootstrap', '--log-warnings=0'] : ['--initialize-insecure'])
  ]
  const child = spawn(program.path, args, {
    cwd: folder,
    env: libraryEnvironment(program.libraryFolders),
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: options.signal,
    ...(user.id === null ? {} : { uid: user.id, gid: user.id })
  })
  // A server that ends early closes its end of the pipe; its exit code and words are what counts.
  child.stdin.on('error', () => undefined)
  child.stdin.end(program.systemSqlFolder === null ? '' : readSystemSql(program.systemSqlFolder))
  const [words, , [code]] = await Promise.all([
    text(child.stderr),
    text(child.stdout),
    once(child, 'close') as Promise<[number | null]>
  ])
  if (code !== 0) {
    throw new Setback(`${program.title} could not make its system tables:\n${lastLines(words)}`)
  }
  renameSync(draft, join(folder, 'data'))
}

/** As mariadb-install-db pipes it; lines with the host's name would only make one more account without a password. */
function readSystemSql(folder: string): string {
  const files = systemSqlFiles(folder).map((file) => readFileSync(file, 'utf8'))
  const lines = files.join('\n').split('\n')
  const kept = lines.filter((line) => !line.includes('@current_hostname'))
  return `create database mysql;\nuse mysql;\n${kept.join('\n')}\n`
}

async function waitUntilItAnswers(url: string, child: Child, signal: AbortSignal): Promise<void> {
  let end: string | undefined
  void child.ended.then((how) => {
    end = how
  })
  const database = openDatabase(url, { connectionsMax: 1, connectTimeoutMs: 1000 })
  const deadlineMs = performance.now() + startTimeoutMs
  try {
    for (;;) {
      signal.throwIfAborted()
      if (end !== undefined) {
        throw new Setback(`the database ended with ${end} instead of starting:\n${child.logTail()}`)
      }
      if (await answers(database)) return
      if (performance.now() > deadlineMs) {
        throw new Setback(`the database does not answer:\n${child.logTail()}`)
      }
      await delay(pollMs)
    }
  } finally {
    await database.close()
  }
}

async function answers(database: ReturnType<typeof openDatabase>): Promise<boolean> {
  try {
    await database.pool.query('SELECT 1')
    return true
  } catch (error) {
    if (isConnectionFailure(error)) return false
    throw error
  }
}

function lastLines(words: string): string {
  return words.trim().split('\n').slice(-10).join('\n')
}
