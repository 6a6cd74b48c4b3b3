// Where usage waits that the database cannot take: one file for each flush, with the seq under which it was, or will be,
// written. A file is complete or it is not there (written aside, synced, renamed), and its checksum says whether what is
// read is what was written. Applying one twice changes nothing, because its seq is in it.
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { UsageIdentity } from './columns.ts'
import type { MinuteSums } from './sums.ts'

/** Sums with a number: what one transaction writes. */
export interface Flush {
  readonly bootId: string
  /** 1, 2, 3, … within a boot; written in this order. */
  readonly seq: number
  /** Everything counted before this moment is in this flush or an earlier one. Milliseconds since 1970. */
  readonly completeUntilMs: number
  readonly minutes: ReadonlyMap<number, MinuteSums>
  readonly calls: number
  /** After this one its boot wrote nothing more: it ended in order. */
  readonly isLast: boolean
}

interface FlushText extends Omit<Flush, 'minutes'> {
  readonly minutes: readonly [minute: number, rows: readonly [UsageIdentity, number[]][]][]
}

const namePattern = /^usage-[0-9a-z_]+-\d{12}\.json$/

/** Makes the folder. Throws the system's error when it cannot be written. */
export function prepareSpool(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
}

/** Writes a flush and resolves to its file's name when it is on the disk. */
export async function spool(folder: string, flush: Flush): Promise<string> {
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
  return name
}

/** The names of the flushes that wait, in the order in which they must be written. */
export async function listSpool(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => namePattern.test(name)).sort()
}

/** Throws when the file is not what was written. */
export async function readSpooled(folder: string, name: string): Promise<Flush> {
  const [checksum = '', text = ''] = (await readFile(join(folder, name), 'utf8')).split('\n')
  if (checksum !== checksumOf(text)) throw new Error(`the checksum of ${name} is wrong`)
  return flushOf(text)
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
