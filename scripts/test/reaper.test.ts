// A test that fails or is cut off leaves no process behind, and neither does a whole run.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { processTreeOf } from '../../bench/process-tree.ts'
import { projectRoot } from '../config.ts'
import { identify, isRunning, type ProcessIdentity } from '../process-identity.ts'
import { spawn } from './support/processes.ts'
import { until } from './support/until.ts'

const areGone = (processes: readonly ProcessIdentity[]) =>
  until(
    () => !processes.some(isRunning),
    () => `left: ${JSON.stringify(processes.filter(isRunning))}`
  )

function identifyAll(pids: readonly number[]): ProcessIdentity[] {
  return pids.map((pid) => identify(pid)).filter((identity) => identity !== undefined)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL', 'SIGUSR2'] as const) {
  const how = signal === 'SIGUSR2' ? 'throws' : `is ended by ${signal}`
  t.test(`a test that ${how} leaves no process behind`, async (t) => {
    const program = join(import.meta.dirname, 'support/leaving.ts')
    const test = spawn(process.execPath, [program, t.testdir()], {
      stdio: ['ignore', 'pipe', 'ignore']
    })
    const [line] = await once(test.stdout, 'data')
    const left = identifyAll(JSON.parse(line))
    t.equal(left.length, 3, 'they run')
    test.kill(signal)
    await areGone(left)
  })
}

t.test('a run of the suite that is killed ends everything that it started', async (t) => {
  const run = spawn(process.execPath, [join(projectRoot, 'scripts/test.ts')], { stdio: 'ignore' })
  const pid = run.pid as number
  // The reaper, and the first checker.
  await until(() => processTreeOf(pid).length >= 3)
  const started = identifyAll(processTreeOf(pid))
  t.ok(started.length >= 3, 'they run')
  run.kill('SIGKILL')
  await areGone(started)
})

t.test('tests start processes only in the way that the reaper knows', (t) => {
  const folders = ['gateway', 'control-plane', 'drizzle', 'bench', 'scripts'].flatMap((folder) => [
    `${folder}/test`,
    `${folder}/test/support`
  ])
  const own = 'scripts/test/support/processes.ts'
  // drizzle/ imports nothing of scripts/; a child that is waited for inherits the mark of whoever has one.
  const allowed = [own, 'drizzle/test/schema.test.ts']
  for (const folder of folders) {
    for (const name of readdirSync(join(projectRoot, folder), { withFileTypes: true })) {
      const path = `${folder}/${name.name}`
      if (!name.isFile() || !path.endsWith('.ts') || allowed.includes(path)) continue
      const text = readFileSync(join(projectRoot, path), 'utf8')
      const starts = /^import (?!type )[^\n]* from 'node:(child_process|cluster)'/m
      t.notMatch(text, starts, `${path} takes spawn from ${own}`)
    }
  }
  t.end()
})
