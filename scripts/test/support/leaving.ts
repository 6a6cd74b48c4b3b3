// A test program that does everything to leave processes behind: a child with an environment of its own, a detached
// grandchild, and one that is started as the quick start does it. It says their numbers, and never ends by itself.
import { once } from 'node:events'
import { createChildProcesses } from '../../child-processes.ts'
import { claimDataFolder } from '../../data-folder.ts'
import { spawn } from './processes.ts'

const forEver = 'setInterval(() => undefined, 60_000)'
const parent = `
  const { spawn } = require('node:child_process')
  const options = { detached: true, stdio: 'ignore' }
  console.log(spawn(process.execPath, ['--eval', ${JSON.stringify(forEver)}], options).pid)
  ${forEver}`

const child = spawn(process.execPath, ['--eval', parent], {
  env: { OWN: 'environment' },
  stdio: ['ignore', 'pipe', 'inherit']
})
const [grandchild] = await once(child.stdout, 'data')
const processes = createChildProcesses(claimDataFolder(process.argv[2] ?? ''))
const server = await processes.start({
  name: 'server',
  program: process.execPath,
  args: ['--eval', forEver],
  env: {}
})
setInterval(() => undefined, 60_000)
// Somebody who listens may ask it to fail, as a test does that throws.
process.on('SIGUSR2', () => {
  throw new Error('planted')
})
process.stdout.write(`${JSON.stringify([child.pid, Number(grandchild), server.pid])}\n`)
