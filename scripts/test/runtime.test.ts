// What a newcomer's first command does before any of our code runs: the right Node, the dependencies, once, and a
// sentence that helps where that fails. npm and Node are stand-ins here, so that nothing is downloaded.

import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { childEnvironment, projectRoot } from '../config.ts'
import { spawn } from './support/processes.ts'

const fakeNode = (version: string) => `#!/bin/sh
case $1 in --version) echo ${version} ;; *) echo "ran under ${version}: $*" ;; esac
`

/** Notes its arguments; installs what it is told to: a Node of the pinned version, or an empty node_modules. */
const fakeNpm = `#!/bin/sh
echo "$*" >>"$FAKE_FOLDER/npm-calls"
if [ -n "$FAKE_GATE" ]; then : >"$FAKE_FOLDER/npm-started"; while [ -e "$FAKE_GATE" ]; do sleep 0.05; done; fi
if [ -n "$FAKE_WORDS" ]; then echo "$FAKE_WORDS" >&2; exit "\${FAKE_STATUS:-1}"; fi
prefix=
for argument in "$@"; do
  case $last in --prefix) prefix=$argument ;; esac
  case $argument in
    node-*@*)
      bin=$prefix/node_modules/\${argument%@*}/bin
      mkdir -p "$bin"
      printf '#!/bin/sh\\ncase $1 in --version) echo v%s ;; *) echo "ran under v%s: $*" ;; esac\\n' "\${argument#*@}" "\${argument#*@}" >"$bin/node"
      chmod +x "$bin/node"
      ;;
  esac
  last=$argument
done
mkdir -p "$prefix/node_modules"
if [ -n "$FAKE_PACKAGE" ]; then
  mkdir -p "$prefix/node_modules/$FAKE_PACKAGE"
  echo '{"version":"1.0.0"}' >"$prefix/node_modules/$FAKE_PACKAGE/package.json"
fi
`

interface Clone {
  folder: string
  script(path: string, text: string): void
  npmCalls(): string[]
  run(
    args?: string[],
    env?: Record<string, string>
  ): Promise<{ code: number | null; out: string; err: string }>
  start(args: string[], env?: Record<string, string>): ReturnType<typeof spawn>
}

function createClone(folder: string, nodeVersion: string): Clone {
  const script = (path: string, text: string) => {
    writeFileSync(join(folder, path), text)
    chmodSync(join(folder, path), 0o755)
  }
  for (const name of ['bin', 'scripts', 'gateway'])
    mkdirSync(join(folder, name), { recursive: true })
  const copied = ['scripts/with-runtime.sh', 'scripts/check-install.ts']
  for (const name of [...copied, 'package.json', 'package-lock.json']) {
    copyFileSync(join(projectRoot, name), join(folder, name))
  }
  if (nodeVersion === 'real') symlinkSync(process.execPath, join(folder, 'bin/node'))
  else script('bin/node', fakeNode(nodeVersion))
  script('bin/npm', fakeNpm)
  const calls = join(folder, 'npm-calls')
  const start: Clone['start'] = (args, env = {}) =>
    // From a folder inside the clone, as a person might stand anywhere in it.
    spawn('sh', ['../scripts/with-runtime.sh', ...args], {
      cwd: join(folder, 'gateway'),
      env: childEnvironment({
        PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
        npm_execpath: '',
        FAKE_FOLDER: folder,
        FAKE_GATE: '',
        FAKE_WORDS: '',
        FAKE_PACKAGE: '',
        ...env
      }),
      stdio: ['ignore', 'pipe', 'pipe']
    })
  return {
    folder,
    script,
    start,
    npmCalls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []),
    async run(args = ['node', 'main.ts'], env = {}) {
      const child = start(args, env)
      let out = ''
      let err = ''
      child.stdout?.on('data', (piece) => {
        out += piece
      })
      child.stderr?.on('data', (piece) => {
        err += piece
      })
      const [code] = (await once(child, 'close')) as [number | null]
      return { code, out, err }
    }
  }
}

t.test('a Node that suits is used; dependencies are installed once', async (t) => {
  const clone = createClone(t.testdir(), 'v22.19.0')
  const first = await clone.run()
  t.equal(first.out, 'ran under v22.19.0: main.ts\n')
  t.match(first.err, 'installing dependencies')
  t.equal(clone.npmCalls().length, 1)

  const second = await clone.run()
  t.same(
    second,
    { code: 0, out: first.out, err: '' },
    'the second run says nothing and asks npm for nothing'
  )
  t.equal(clone.npmCalls().length, 1)
})

for (const version of ['v18.0.0', 'v20.20.2', 'v22.18.0', 'v23.1.0', 'v24.0.0', 'v26.0.0']) {
  t.test(`Node ${version} brings the pinned one in, and runs nothing but that`, async (t) => {
    const clone = createClone(t.testdir(), version)
    const { code, out } = await clone.run()
    t.equal(code, 0)
    t.match(out, /^ran under v22\.\d+\.\d+: main\.ts\n$/)
    const [runtime, dependencies] = clone.npmCalls()
    t.match(runtime, /node-(linux|darwin)-(x64|arm64)@22\./)
    t.match(runtime, '--ignore-scripts')
    t.match(dependencies, '--ignore-scripts')
    t.match(dependencies, '--no-save', 'package-lock.json stays as it was committed')
  })
}

t.test('a changed lockfile installs again', async (t) => {
  const clone = createClone(t.testdir(), 'v22.20.0')
  await clone.run()
  writeFileSync(join(clone.folder, 'package-lock.json'), '{}')
  await clone.run()
  t.equal(clone.npmCalls().length, 2)
})

t.test('the exit code and the arguments of the command are its own', async (t) => {
  const clone = createClone(t.testdir(), 'v22.20.0')
  await clone.run()
  const { code, out } = await clone.run(['sh', '-c', 'echo "$1"; exit 7', 'x', 'two words'])
  t.same({ code, out }, { code: 7, out: 'two words\n' })
  t.equal((await clone.run([])).code, 1, 'no command is an error')
})

t.test('two at once install one after the other', async (t) => {
  const clone = createClone(t.testdir(), 'v22.20.0')
  const results = await Promise.all([clone.run(), clone.run(), clone.run()])
  t.same(
    results.map(({ code }) => code),
    [0, 0, 0]
  )
  t.equal(clone.npmCalls().length, 1)
})

t.test('an install that was killed does not block the next one', async (t) => {
  const clone = createClone(t.testdir(), 'v22.20.0')
  const gate = join(clone.folder, 'gate')
  writeFileSync(gate, '')
  const killed = clone.start(['node', 'main.ts'], { FAKE_GATE: gate })
  const started = join(clone.folder, 'npm-started')
  while (!existsSync(started)) await nextTurn()
  killed.kill('SIGKILL')
  await once(killed, 'exit')

  const next = clone.run()
  t.equal(clone.npmCalls().length, 1, 'npm outlived its caller, and nobody else runs beside it')
  rmSync(gate)
  t.equal((await next).code, 0)
  t.equal(clone.npmCalls().length, 2)
})

const failures = [
  ['npm error code ENOSPC', /the disk is full/],
  ['npm error code ENOTFOUND', /registry .* cannot be reached/],
  ['npm error code EACCES', /may not write/],
  ['npm error something new', /npm error something new[\s\S]*failed, see above/]
] as const
for (const [words, sentence] of failures) {
  t.test(`"${words}" is explained`, async (t) => {
    const clone = createClone(t.testdir(), 'v22.20.0')
    const { code, err } = await clone.run(['node', 'main.ts'], { FAKE_WORDS: words })
    t.equal(code, 1)
    t.match(err, sentence)
    t.notOk(existsSync(join(clone.folder, '.runtime/lock')), 'the lock is free again')
    t.equal((await clone.run()).code, 0, 'and the next run succeeds')
  })
}

t.test('npm that breaks off and says that all is well is not believed', async (t) => {
  const clone = createClone(t.testdir(), 'v22.20.0')
  const words = 'npm error Exit handler never called!'
  const broken = await clone.run(['node', 'main.ts'], { FAKE_WORDS: words, FAKE_STATUS: '0' })
  t.equal(broken.code, 1)
  t.match(broken.err, /npm broke off .* registry .* cannot be reached/)
  const begun = join(clone.folder, 'node_modules/half-unpacked')
  mkdirSync(begun, { recursive: true })
  const next = await clone.run()
  t.equal(next.code, 0, 'the next start heals it')
  t.match(next.err, 'starting anew')
  t.notOk(existsSync(begun), 'what was begun is not taken for an installed package')
  t.equal((await clone.run()).err, '', 'and then there is nothing more to do')
})

t.test('an install counts when each package of the lockfile is there', async (t) => {
  const clone = createClone(t.testdir(), 'real')
  const platform = { os: [process.platform], cpu: [process.arch] }
  const lock = {
    packages: {
      '': {},
      'node_modules/needed': { version: '1.0.0' },
      'node_modules/for-development': { version: '1.0.0', dev: true },
      'node_modules/for-another-platform': { version: '1.0.0', optional: true, os: ['none'] },
      'node_modules/needed-by-another-platform': { version: '1.0.0', optional: true }
    }
  }
  const write = () => writeFileSync(join(clone.folder, 'package-lock.json'), JSON.stringify(lock))
  write()
  const command = ['--omit-dev', 'node', '--version']
  const empty = await clone.run(command)
  t.equal(empty.code, 1)
  t.match(empty.err, /node_modules\/needed is not there[\s\S]*packages are missing/)
  t.notMatch(empty.err, /for-development|another-platform/)
  t.equal((await clone.run(command, { FAKE_PACKAGE: 'needed' })).code, 0)
  const all = await clone.run(['node', '--version'], { FAKE_PACKAGE: 'needed' })
  t.match(all.err, 'for-development is not there', 'without --omit-dev it is needed')

  lock.packages['node_modules/needed'].version = '2.0.0'
  Object.assign(lock.packages['node_modules/for-another-platform'], platform)
  write()
  const other = await clone.run(command, { FAKE_PACKAGE: 'needed' })
  t.match(other.err, 'needed is 1.0.0, not 2.0.0')
  t.match(other.err, 'for-another-platform is not there')
})

t.test('an install that was killed in the middle is made anew', async (t) => {
  const clone = createClone(t.testdir(), 'v22.20.0')
  const gate = join(clone.folder, 'gate')
  writeFileSync(gate, '')
  const killed = clone.start(['node', 'main.ts'], { FAKE_GATE: gate })
  while (!existsSync(join(clone.folder, 'npm-started'))) await nextTurn()
  killed.kill('SIGTERM')
  rmSync(gate)
  await once(killed, 'exit')
  const begun = join(clone.folder, 'node_modules/half-unpacked')
  mkdirSync(begun, { recursive: true })
  t.equal((await clone.run()).code, 0)
  t.notOk(existsSync(begun))
})

t.test('--omit-dev installs no development packages, and removes none', async (t) => {
  const clone = createClone(t.testdir(), 'v22.20.0')
  const production = ['--omit-dev', 'node', 'main.ts']
  t.equal((await clone.run(production)).out, 'ran under v22.20.0: main.ts\n')
  t.match(clone.npmCalls()[0], '--omit=dev')
  await clone.run(production)
  t.equal(clone.npmCalls().length, 1)
  await clone.run()
  t.match(clone.npmCalls()[1], '--include=dev', 'a test run needs them')
  await clone.run(production)
  t.equal(clone.npmCalls().length, 2)
  writeFileSync(join(clone.folder, 'package-lock.json'), '{}')
  await clone.run(production)
  t.match(clone.npmCalls()[2], '--include=dev', 'where they were, they stay')
})

const uname = (system: string, machine: string) =>
  `#!/bin/sh\ncase $1 in -s) echo ${system} ;; -m) echo ${machine} ;; *) echo ${system} ${machine} ;; esac\n`

for (const [system, machine, name] of [
  ['Linux', 'aarch64', 'linux-arm64'],
  ['Darwin', 'arm64', 'darwin-arm64'],
  ['Darwin', 'x86_64', 'darwin-x64']
] as const) {
  t.test(`on ${name} the engine comes from its own project, at a pinned commit`, async (t) => {
    const clone = createClone(t.testdir(), 'v20.0.0')
    clone.script('bin/uname', uname(system, machine))
    clone.script('bin/ldd', '#!/bin/sh\necho glibc\n')
    t.equal((await clone.run()).code, 0)
    const [runtime, dependencies] = clone.npmCalls()
    t.match(runtime, `node-${name}@22.`)
    t.match(dependencies, /uWebSockets\.js@github:uNetworking\/uWebSockets\.js#[0-9a-f]{40}/)
  })
}

t.test('on Linux x64 the engine comes from npm alone', async (t) => {
  const clone = createClone(t.testdir(), 'v22.20.0')
  clone.script('bin/uname', uname('Linux', 'x86_64'))
  clone.script('bin/ldd', '#!/bin/sh\necho glibc\n')
  await clone.run()
  t.notMatch(clone.npmCalls()[0], 'uWebSockets.js')
})

for (const [system, machine, ldd] of [
  ['Linux', 'x86_64', 'musl libc (x86_64)'],
  ['Linux', 'riscv64', 'glibc'],
  ['FreeBSD', 'amd64', 'none']
] as const) {
  t.test(
    `${system} on ${machine} with ${ldd} is refused before anything is downloaded`,
    async (t) => {
      const clone = createClone(t.testdir(), 'v22.20.0')
      clone.script('bin/uname', uname(system, machine))
      clone.script('bin/ldd', `#!/bin/sh\necho '${ldd}' >&2\nexit 1\n`)
      const { code, err } = await clone.run()
      t.equal(code, 1)
      t.match(err, /does not run on .*Linux with glibc \(x64, arm64\) and macOS \(x64, arm64\)/)
      t.same(clone.npmCalls(), [])
    }
  )
}
