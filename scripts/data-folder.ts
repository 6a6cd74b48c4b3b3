// The folder that holds everything a quick start creates. Claiming it guarantees that it is ours (empty before, or
// marked), that only its owner can enter it, and that nobody else works in it: the lock names a process and its moment
// of birth, so one that was killed holds nothing.
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { dirname, join } from 'node:path'
import { readPrivateJson, writePrivateJson } from './private-file.ts'
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts'
import { Setback } from './setback.ts'

const markerName = '.sluice'
const markerText =
  'Everything in this folder was made by Sluice; it can be deleted while nothing of it runs.\n'
/** What a control plane or a gateway leaves when it runs on its own with the same folder. */
const namesOfOurs = new Set(['outbox', 'usage-spool'])

export interface DataFolder {
  path: string
  /** The path of something in it. */
  at(...names: string[]): string
  release(): void
}

/** Throws Setback when the folder is somebody else's, or another process works in it. */
export function claimDataFolder(path: string): DataFolder {
  mkdirSync(dirname(path), { recursive: true })
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const names = readdirSync(path)
  if (!names.includes(markerName)) {
    if (names.some((name) => !namesOfOurs.has(name))) {
      throw new Setback(
        `${path} is not empty and was not made by Sluice. Nothing in it was touched: set SLUICE_DATA_DIR to a folder that is new or empty`
      )
    }
    chmodSync(path, 0o700)
    writeFileSync(join(path, markerName), markerText, { mode: 0o600 })
  }
  const release = takeLock(path)
  return { path, at: (...names) => join(path, ...names), release }
}

function takeLock(folder: string): () => void {
  const lock = join(folder, 'lock')
  const mine = join(folder, `lock.${process.pid}`)
  writePrivateJson(mine, identify(process.pid))
  try {
    // A hard link appears whole, with its content, or not at all.
    while (!linked(mine, lock)) {
      const holder = readPrivateJson<ProcessIdentity>(lock)
      if (holder === undefined) continue
      if (isRunning(holder)) throw heldBy(holder, folder)
      breakLock(lock, mine, holder)
    }
  } finally {
    rmSync(mine, { force: true })
  }
  return () => rmSync(lock, { force: true })
}

/** Two may break the same dead lock: who finds that it moved a living one away puts it back. */
function breakLock(lock: string, mine: string, dead: ProcessIdentity): void {
  const aside = `${mine}.broken`
  try {
    renameSync(lock, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const moved = readPrivateJson<ProcessIdentity>(aside)
  if (moved !== undefined && (moved.pid !== dead.pid || moved.born !== dead.born))
    linked(aside, lock)
  rmSync(aside, { force: true })
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function heldBy(holder: ProcessIdentity, folder: string): Setback {
  return new Setback(
    `${folder} is in use by process ${holder.pid}: stop that one first (Ctrl-C, or kill ${holder.pid}), or set SLUICE_DATA_DIR to another folder`
  )
}
