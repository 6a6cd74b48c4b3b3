// How a command ends: in order on the first signal, at once on a Ctrl-C that a person repeats.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { childEnvironment, projectRoot } from '../config.ts'
import { createLifetime } from '../lifetime.ts'
import { spawn } from './support/processes.ts'

/** A command that starts two things, of which the first never ends by itself. Its clock moves by so much at each look. */
const command = (clockStepMs: number, firstEnds: boolean) => `
  import { createLifetime } from ${JSON.stringify(join(projectRoot, 'scripts/lifetime.ts'))}
  let nowMs = 0
  const lifetime = createLifetime(() => (nowMs += ${clockStepMs}))
  lifetime.atEnd(() => {
    console.log('first ends')
    return ${firstEnds} ? undefined : new Promise(() => setInterval(() => undefined, 60_000))
  })
  lifetime.atEnd(() => console.log('second ends'))
  lifetime.atKill(() => console.log('killed'))
  process.on('SIGUSR2', () => console.log('still here'))
  const keepAlive = setInterval(() => undefined, 60_000)
  console.log('started')
  console.log(await lifetime.asked)
  await lifetime.end()
  clearInterval(keepAlive)
`

interface Command {
  child: ChildProcess
  said(line: string): Promise<void>
  ended: Promise<{ code: number | null; lines: string[] }>
}

function start(clockStepMs: number, firstEnds: boolean): Command {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--eval', command(clockStepMs, firstEnds)],
    { env: childEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] }
  )
  let output = ''
  child.stdout?.on('data', (piece) => {
    output += piece
    child.emit('said')
  })
  return {
    child,
    async said(line) {
      while (!output.split('\n').includes(line)) {
        if (child.exitCode !== null) throw new Error(`it ended without "${line}":\n${output}`)
        await Promise.race([once(child, 'said'), once(child, 'exit')])
      }
    },
    ended: once(child, 'close').then(([code]) => ({ code, lines: output.trim().split('\n') }))
  }
}

t.test('the first signal ends everything, the last that was started first', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const { child, said, ended } = start(0, true)
    await said('started')
    child.kill(signal)
    t.same(await ended, { code: 0, lines: ['started', signal, 'second ends', 'first ends'] })
  }
})

t.test('lifetime: a Ctrl-C that comes later kills', async (t) => {
  const { child, said, ended } = start(2001, false)
  await said('started')
  child.kill('SIGINT')
  await said('first ends')
  child.kill('SIGINT')
  const { code, lines } = await ended
  t.equal(code, 130)
  t.equal(lines.at(-1), 'killed')
})

t.test('lifetime: a repeated SIGTERM or SIGHUP, however late, changes nothing', async (t) => {
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    const { child, said, ended } = start(60_000, false)
    await said('started')
    child.kill('SIGINT')
    await said('first ends')
    child.kill(signal)
    child.kill('SIGUSR2')
    await said('still here')
    child.kill('SIGKILL')
    t.notOk((await ended).lines.includes('killed'), signal)
  }
})

t.test('the same Ctrl-C from the terminal and from npm is one', async (t) => {
  const { child, said, ended } = start(0, false)
  await said('started')
  child.kill('SIGINT')
  await said('first ends')
  child.kill('SIGINT')
  child.kill('SIGUSR2')
  await said('still here')
  child.kill('SIGKILL')
  t.notOk((await ended).lines.includes('killed'))
})

t.test('what fails to end keeps nothing else from ending, and is told', async (t) => {
  const lifetime = createLifetime()
  const ended: string[] = []
  lifetime.atEnd(() => void ended.push('first'))
  lifetime.atEnd(() => Promise.reject(new Error('no')))
  lifetime.atEnd(() => void ended.push('third'))
  await t.rejects(lifetime.end(), /no/)
  await t.rejects(lifetime.end(), /no/)
  t.same(ended, ['third', 'first'])
  t.ok(lifetime.signal.aborted)
})
