// Contestants that are programs of the machine: their configuration is in bench/peers/, filled in for a run.
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { programFolders } from '../../scripts/config.ts'
import { findFreePort } from '../../scripts/ports.ts'
import { outputOf } from '../machine.ts'
import { startCommand } from '../program.ts'
import { fill } from '../template.ts'
import { type Contestant, type Duty, narrowLimit, type Setup, wideLimit } from './contestant.ts'
import { untilServing } from './readiness.ts'

const peersFolder = join(import.meta.dirname, '../peers')
/** Servers are often not on the PATH of people. */
const serverFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/usr/bin']
const luaModule = '/usr/lib/nginx/modules/ngx_http_lua_module.so'
const kitModule = '/usr/lib/nginx/modules/ndk_http_module.so'

type Gaps = Readonly<Record<string, string | number>>

interface Installed {
  readonly name: string
  readonly description: string
  readonly duties: readonly Duty[]
  readonly command: string
  /** The Debian packages that bring it. */
  readonly packages: readonly string[]
  /** Besides the command. */
  readonly needs?: readonly string[]
  /** The files in bench/peers/; the first is what `argsOf` is given. */
  readonly files: readonly string[]
  readonly argsOf: (file: string, folder: string) => readonly string[]
  readonly versionArgs: readonly string[]
  readonly envOf?: (setup: Setup) => Readonly<Record<string, string>>
  /** One line for each key. Null when it has no keys. */
  readonly lineOf: ((key: string, limit: typeof wideLimit | typeof narrowLimit) => string) | null
  /** What its files need beyond ports, threads and the file of keys, by file. */
  readonly gaps?: Readonly<Record<string, (folder: string) => Gaps>>
}

/** Its workers would run as another user when we are root, one who cannot read the configuration. */
const nginxUser = process.getuid?.() === 0 ? 'user root;' : ''
const nginxArgs = (file: string, folder: string) => ['-p', folder, '-c', file, '-e', 'stderr']

const nginxLua: Installed = {
  name: 'nginx-lua',
  description:
    'nginx with Lua: keys in a shared dictionary, a token bucket and counters for each key',
  duties: ['keys', 'limits', 'counters'],
  command: 'nginx',
  packages: ['nginx', 'libnginx-mod-http-lua'],
  needs: [luaModule, kitModule],
  files: ['nginx-lua.conf', 'nginx-lua-init.lua', 'nginx-lua-access.lua', 'nginx-lua-log.lua'],
  argsOf: nginxArgs,
  versionArgs: ['-v'],
  lineOf: (key, { requestsPerSecond, burst }) => `${key} ${requestsPerSecond} ${burst}`,
  gaps: {
    'nginx-lua.conf': (folder) => ({
      user: nginxUser,
      modules: `load_module ${kitModule};\nload_module ${luaModule};`,
      folder
    })
  }
}

const nginxLimitReq: Installed = {
  name: 'nginx-limit-req',
  description: 'nginx without Lua: keys in a map, limit_req; no counters',
  duties: ['keys', 'limits'],
  command: 'nginx',
  packages: ['nginx'],
  files: ['nginx-limit-req.conf'],
  argsOf: nginxArgs,
  versionArgs: ['-v'],
  lineOf: (key, limit) => `/api=${key} ${limit === wideLimit ? 'wide' : 'narrow'};`,
  gaps: {
    'nginx-limit-req.conf': () => ({
      user: nginxUser,
      wideRate: wideLimit.requestsPerSecond,
      wideBurst: wideLimit.burst,
      narrowRate: narrowLimit.requestsPerSecond
    })
  }
}

const haproxy: Installed = {
  name: 'haproxy',
  description: 'HAProxy: keys in a map, rates and counters in a stick table',
  duties: ['keys', 'limits', 'counters'],
  command: 'haproxy',
  packages: ['haproxy'],
  files: ['haproxy.cfg'],
  argsOf: (file) => ['-db', '-f', file],
  versionArgs: ['-v'],
  lineOf: (key, { requestsPerSecond }) => `${key} ${requestsPerSecond}`
}

const caddy: Installed = {
  name: 'caddy',
  description: 'Caddy: forwards and no more',
  duties: [],
  command: 'caddy',
  packages: ['caddy'],
  files: ['Caddyfile'],
  argsOf: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  versionArgs: ['version'],
  envOf: ({ threads, folder }) => ({
    GOMAXPROCS: String(threads),
    XDG_DATA_HOME: folder,
    XDG_CONFIG_HOME: folder
  }),
  lineOf: null
}

const all = [nginxLua, nginxLimitReq, haproxy, caddy]

/** The contestants, and the Debian packages that bring each. */
export const installed: readonly (Contestant & { readonly packages: readonly string[] })[] =
  all.map((options) => ({
    name: options.name,
    description: options.description,
    duties: options.duties,
    packages: options.packages,
    isProxy: true,
    threadsMax: 64,
    findObstacle: () => findObstacle(options),
    version: () => versionOf(options),
    start: (setup) => start(options, setup)
  }))

async function start(options: Installed, setup: Setup) {
  const port = await findFreePort()
  const files = render(options, setup, port)
  const program = await startCommand({
    command: findCommand(options.command) ?? options.command,
    args: options.argsOf(files[0] as string, setup.folder),
    env: options.envOf?.(setup) ?? {},
    cores: setup.placement.contestant
  })
  await untilServing(program, () => listensAt(port))
  return { port, pid: program.pid, failure: program.failure, stop: () => program.stop() }
}

/** Writes the configuration into the setup's folder. Returns the paths of the files. */
function render(options: Installed, setup: Setup, port: number): string[] {
  const { folder } = setup
  mkdirSync(folder, { recursive: true })
  const keysFile = join(folder, 'keys')
  const { lineOf } = options
  if (lineOf !== null) {
    const lines = setup.keys.map((key) => lineOf(key, wideLimit))
    writeFileSync(keysFile, `${[...lines, lineOf(setup.limitedKey, narrowLimit)].join('\n')}\n`)
  }
  return options.files.map((name) => {
    const path = join(folder, name)
    writeFileSync(path, renderPeerFile(name, { ...setup, port, keysFile }))
    return path
  })
}

/** A file of bench/peers/ with its gaps filled in, which is what a contestant is started with. */
export function renderPeerFile(
  name: string,
  values: Pick<Setup, 'upstreamPort' | 'threads' | 'folder'> & { port: number; keysFile: string }
): string {
  const { upstreamPort, threads, folder, port, keysFile } = values
  const text = readFileSync(join(peersFolder, name), 'utf8')
  const own = all.find(({ files }) => files.includes(name))?.gaps?.[name]?.(folder) ?? {}
  const known = { port, upstreamPort, threads, keysFile, ...own }
  const needed = Object.entries(known).filter(([gap]) => gap in own || text.includes(`{{${gap}}}`))
  return fill(text, Object.fromEntries(needed))
}

function listensAt(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

function findObstacle({ command, needs = [], packages }: Installed): string | null {
  if (findCommand(command) !== null && needs.every((path) => isReadable(path))) return null
  return `not installed (Debian: apt-get install ${packages.join(' ')})`
}

/** nginx tells its version on standard error. */
function versionOf({ command, versionArgs }: Installed): string | null {
  const path = findCommand(command)
  if (path === null) return null
  const text = outputOf('sh', ['-c', '"$@" 2>&1', 'sh', path, ...versionArgs])
  return text?.split('\n')[0] ?? null
}

function findCommand(name: string): string | null {
  const paths = [...programFolders(), ...serverFolders].map((folder) => join(folder, name))
  return paths.find((path) => isReadable(path, constants.X_OK)) ?? null
}

function isReadable(path: string, mode: number = constants.R_OK): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
