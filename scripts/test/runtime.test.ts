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
if [ -n "$FAKE_WORDS" ]; then echo "$FAKE_WORDS" >&2; exit 1; fi
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
`

interface Clone {
  folder: string
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
  for (const name of ['scripts/with-runtime.sh', 'package.json', 'package-lock.json']) {
    copyFileSync(join(projectRoot, name), join(folder, name))
  }
  script('bin/node', fakeNode(nodeVersion))
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
        ...env
      }),
      stdio: ['ignore', 'pipe', 'pipe']
    })
  return {
    folder,
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
