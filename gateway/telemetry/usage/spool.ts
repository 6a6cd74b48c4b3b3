// Where usage waits that the database cannot take: one file for each flush, with the seq under which it was, or will be,
// written. A file is complete or it is not there (written aside, synced, renamed), and its checksum says whether what is
// read is what was written. Applying one twice changes nothing, because its seq is in it.
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { UsageIdentity } from './columns.ts'
import type { MinuteSums } from './sums.ts'

/** Sums with a number: what one transaction writes. */
export interface Flush {
  readonly nodeId: string
  readonly bootId: string
  /** 1, 2, 3, … within a boot; written in this order. */
  readonly seq: number
  /** Everything counted before this moment is in this flush or an earlier one. Milliseconds since 1970; null: not known. */
  readonly completeUntilMs: number | null
  readonly minutes: ReadonlyMap<number, MinuteSums>
  readonly calls: number
  /** After this one its boot wrote nothing more: it ended in order. */
  readonly isLast: boolean
}

interface FlushText extends Omit<Flush, 'minutes'> {
  readonly minutes: readonly [minute: number, rows: readonly [UsageIdentity, number[]][]][]
}

const namePattern = /^usage-([0-9a-z_]+)-(\d{12})\.json$/

/** A file that is not what was written. */
export class DamagedFileError extends Error {
  override readonly name = 'DamagedFileError'
}

/** Makes the folder. Throws the system's error when it cannot be written. */
export function prepareSpool(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
}

/** A file in the folder, told from its name. */
export interface SpooledFile {
  readonly name: string
  readonly bootId: string
  readonly seq: number
  readonly bytes: number
}

/** Writes a flush and resolves when it is on the disk. */
export async function spool(folder: string, flush: Flush): Promise<SpooledFile> {
  const name = nameOf(flush)
  const path = join(folder, name)
  const text = textOf(flush)
  const file = await open(`${path}.part`, 'w', 0o600)
  try {
    await file.writeFile(`${checksumOf(text)}\n${text}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.part`, path)
  const directory = await open(folder, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
  const { bootId, seq } = flush
  return { name, bootId, seq, bytes: Buffer.byteLength(text) }
}

/** The flushes that wait, in the order in which they must be written. */
export async function listSpool(folder: string): Promise<SpooledFile[]> {
  const files: SpooledFile[] = []
  for (const name of (await readdir(folder)).sort()) {
    const [, bootId, seq] = namePattern.exec(name) ?? []
    if (bootId === undefined) continue
    const { size } = await stat(join(folder, name))
    files.push({ name, bootId, seq: Number(seq), bytes: size })
  }
  return files
}

/** Null when the file is not there any more. Throws DamagedFileError, or the system's error. */
export async function readSpooled(folder: string, name: string): Promise<Flush | null> {
  try {
    const [checksum = '', text = ''] = (await readFile(join(folder, name), 'utf8')).split('\n')
    if (checksum === checksumOf(text)) return flushOf(text)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  throw new DamagedFileError(`the checksum of ${name} is wrong`)
}

/** For a person to look at: it is not taken for a flush any more. */
export async function setAside(folder: string, name: string): Promise<void> {
  await rename(join(folder, name), join(folder, `${name}.damaged`))
}

/** What it holds is in the database. */
export async function removeSpooled(folder: string, name: string): Promise<void> {
  await rm(join(folder, name), { force: true })
}

function textOf(flush: Flush): string {
  const minutes = [...flush.minutes].map(([minute, sums]): FlushText['minutes'][number] => [
    minute,
    [...sums.values()].map(({ identity, values }) => [identity, [...values]])
  ])
  return JSON.stringify({ ...flush, minutes } satisfies FlushText)
}

function flushOf(text: string): Flush {
  const { minutes, ...flush }: FlushText = JSON.parse(text)
  return {
    ...flush,
    minutes: new Map(
      minutes.map(([minute, rows]) => [
        minute,
        new Map(
          rows.map(([identity, values], place) => [
            String(place),
            { identity, values: Float64Array.from(values) }
          ])
        )
      ])
    )
  }
}

const checksumOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Boot ids sort by time, and the seq is padded: names sort in the order of writing. */
const nameOf = ({ bootId, seq }: Pick<Flush, 'bootId' | 'seq'>): string =>
  `usage-${bootId}-${String(seq).padStart(12, '0')}.json`
