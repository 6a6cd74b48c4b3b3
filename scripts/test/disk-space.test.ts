// A full disk is told as one, whatever it was that failed.
import { statfsSync } from 'node:fs'
import t from 'tap'
import { fullDiskNote, requireDiskSpace } from '../disk-space.ts'

t.test('too little space is refused before anything is written, with both numbers', async (t) => {
  const folder = t.testdir()
  const { bavail, bsize } = statfsSync(folder)
  requireDiskSpace(folder, 1)
  t.throws(
    () => requireDiskSpace(folder, bavail * bsize * 2),
    /has \d+ MB free, and \d+ MB are needed/
  )
})

t.test('a disk with room is no explanation of an error', async (t) => {
  t.equal(fullDiskNote(t.testdir()), '')
  t.equal(fullDiskNote('/nowhere/at/all'), '')
})
