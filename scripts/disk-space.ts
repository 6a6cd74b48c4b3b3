// A full disk shows itself as a hundred different errors of a hundred different programs. So it is asked about: before
// anything large is written, and again when anything at all has failed.
import { statfsSync } from 'node:fs'
import { Setback } from './setback.ts'

const megabyte = 1024 * 1024
/** Below it a database cannot extend a file any more. */
const fullBelowBytes = 24 * megabyte

/** Throws a Setback when less than `bytes` are free where `folder` is. */
export function requireDiskSpace(folder: string, bytes: number): void {
  const free = freeBytes(folder)
  if (free < bytes) {
    throw new Setback(
      `the disk that holds ${folder} has ${inMegabytes(free)} free, and ${inMegabytes(bytes)} are needed: free some space, or set SLUICE_DATA_DIR to a folder on another disk`
    )
  }
}

/** A sentence to put before an error when a full disk is the likely reason of it; else empty. */
export function fullDiskNote(folder: string): string {
  try {
    const free = freeBytes(folder)
    return free < fullBelowBytes
      ? `the disk that holds ${folder} is full (${inMegabytes(free)} free): free some space and try again\n\n`
      : ''
  } catch {
    // There is no such folder (yet): then it is not what is full.
    return ''
  }
}

/** What an ordinary user may still write. */
function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

function inMegabytes(bytes: number): string {
  return `${Math.floor(bytes / megabyte)} MB`
}
