// A data folder is claimed by one process at a time, never when it is somebody else's, and never for ever.

import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { claimDataFolder } from '../data-folder.ts'
import { identify, isRunning } from '../process-identity.ts'
import { spawn } from './support/processes.ts'

t.test('a new folder is made, closed to others, with what is above it left as usual', async (t) => {
  const path = join(t.testdir(), 'above/data')
  const folder = claimDataFolder(path)
  t.equal(statSync(path).mode & 0o777, 0o700)
  t.not(statSync(join(path, '..')).mode & 0o777, 0o700)
  folder.release()
  claimDataFolder(path).release()
})

t.test('a folder with something else in it is refused and left as it was', async (t) => {
  const path = t.testdir({ 'thesis.txt': 'ten years' })
  t.throws(() => claimDataFolder(path), /is not empty and was not made by Sluice/)
  t.same(readdirSync(path), ['thesis.txt'])
})

t.test('a folder that a control plane has left mails in is ours', async (t) => {
  const path = t.testdir({ outbox: { 'mail.eml': '' } })
  claimDataFolder(path).release()
  t.ok(readdirSync(path).includes('outbox'))
})

t.test('a folder in use names its user', async (t) => {
  const path = join(t.testdir(), 'data')
  const folder = claimDataFolder(path)
  t.throws(() => claimDataFolder(path), new RegExp(`in use by process ${process.pid}`))
  folder.release()
  claimDataFolder(path).release()
})

t.test('the lock of a process that was killed holds nothing', async (t) => {
  const path = join(t.testdir(), 'data')
  claimDataFolder(path).release()
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const holder = identify(child.pid ?? 0)
  writeFileSync(join(path, 'lock'), JSON.stringify(holder))
  t.throws(() => claimDataFolder(path), /in use/)
  child.kill('SIGKILL')
  await once(child, 'exit')
  claimDataFolder(path).release()
})

t.test('a process number that was given out again is not the process', async (t) => {
  const path = join(t.testdir(), 'data')
  mkdirSync(path)
  claimDataFolder(path).release()
  writeFileSync(join(path, 'lock'), JSON.stringify({ pid: process.pid, born: 'long ago' }))
  const folder = claimDataFolder(path)
  t.same(JSON.parse(readFileSync(join(path, 'lock'), 'utf8')), identify(process.pid))
  folder.release()
})

t.test('this process is known by its number and its birth', async (t) => {
  const identity = identify(process.pid)
  t.ok(identity !== undefined && isRunning(identity))
  t.equal(identify(2 ** 22 + 1), undefined)
})
