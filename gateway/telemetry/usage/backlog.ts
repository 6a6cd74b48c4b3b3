// The flushes that wait on the disk, oldest first: of this boot while the database is away, and of earlier ones that ended
// meanwhile. They are written in order and none is passed over, because the number of a later one would say that it is
// written: a file that cannot be read now is tried again, and one that is damaged is written as a flush of nothing.
import type { Log } from '../log.ts'
import {
  DamagedFileError,
  type Flush,
  listSpool,
  readSpooled,
  removeSpooled,
  type SpooledFile,
  setAside,
  spool
} from './spool.ts'
import { endWriter, isAlive, type Pool, registerWriter, type Written } from './transaction.ts'

export interface BacklogDeps {
  readonly pool: Pool
  readonly log: Log
  readonly nodeId: string
  readonly bootId: string
  readonly folder: string
  /** Of all files together. */
  readonly bytesMax: number
}

interface Waiting extends SpooledFile {
  /** Calls in it that this boot counted and that are not in the tables. */
  ownCalls: number
}

export class Backlog {
  readonly #deps: BacklogDeps
  #files: Waiting[] = []
  /** Files that were not what had been written: what they held is not counted. */
  damaged = 0

  constructor(deps: BacklogDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#files.length
  }

  get bytes(): number {
    return this.#files.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Calls of this boot that wait here. */
  get ownCalls(): number {
    return this.#files.reduce((sum, { ownCalls }) => sum + ownCalls, 0)
  }

  /** Takes up what earlier runs left. Throws the system's error. */
  async open(): Promise<void> {
    const files = await listSpool(this.#deps.folder)
    this.#files = files.map((file) => ({ ...file, ownCalls: 0 }))
  }

  /** Resolves when the flush is on the disk. Throws the system's error, or that there is no more room. */
  async add(flush: Flush, isLast = false): Promise<void> {
    const { folder, bytesMax } = this.#deps
    if (!isLast && this.bytes > bytesMax) throw new Error('the spool has reached its limit')
    this.#files.push({ ...(await spool(folder, flush)), ownCalls: flush.calls })
  }

  /**
   * Writes them all. Throws when one cannot be written or read now.
   * @param onWritten told of the calls of this boot in each one, at the moment when they stop waiting here.
   */
  async write(
    write: (flush: Flush) => Promise<Written>,
    onWritten: (ownCalls: number) => void
  ): Promise<void> {
    const { pool, folder, log, nodeId, bootId } = this.#deps
    for (let first = this.#files[0]; first !== undefined; first = this.#files[0]) {
      const isForeign = first.bootId !== bootId
      if (isForeign && (await isAlive(pool, first.bootId))) {
        // Another gateway with the same folder, which will write its own.
        this.#files.shift()
        continue
      }
      const flush = await this.#read(first)
      if (isForeign) await this.#register(flush)
      const { wasWritten } = await write(flush)
      // A file that is gone was written by somebody else, or nobody can write it any more.
      const ownCalls = flush.calls > 0 || wasWritten ? first.ownCalls : 0
      first.ownCalls = 0
      onWritten(ownCalls)
      // An earlier boot of this node writes no more. That of another node was killed, and its own next start says so.
      const isOver = flush.isLast || (isForeign && flush.nodeId === nodeId)
      if (isOver) await endWriter(pool, flush.bootId)
      await removeSpooled(folder, first.name)
      this.#files.shift()
      log.info({ file: first.name, calls: flush.calls }, 'spooled usage is written')
    }
  }

  /** The last flush of a boot that waits here; null when none does. */
  async lastOf(bootId: string): Promise<Flush | null> {
    const last = this.#files.findLast((file) => file.bootId === bootId)
    return last === undefined ? null : await this.#read(last)
  }

  /** Before this moment nothing waits here. Milliseconds since 1970; null when nothing waits. */
  async completeUntilMs(): Promise<number | null> {
    const [first] = this.#files
    if (first === undefined) return null
    const { minutes } = await this.#read(first)
    return minutes.size === 0 ? null : Math.min(...minutes.keys()) * 60_000
  }

  async #read(file: SpooledFile): Promise<Flush> {
    const { folder, log, nodeId } = this.#deps
    const { name, bootId, seq } = file
    const nothing: Flush = {
      nodeId,
      bootId,
      seq,
      completeUntilMs: null,
      minutes: new Map(),
      calls: 0,
      isLast: false
    }
    try {
      return (await readSpooled(folder, name)) ?? nothing
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error
      this.damaged++
      log.error(
        { file: name },
        'spooled usage is damaged: its calls are not counted, the file is kept'
      )
      await setAside(folder, name)
      return nothing
    }
  }

  async #register({ bootId, nodeId, seq, completeUntilMs }: Flush): Promise<void> {
    const completeUntil = new Date(completeUntilMs ?? Date.now())
    const writer = { bootId, nodeId, seq: seq - 1, completeUntil }
    await registerWriter(this.#deps.pool, writer)
  }
}
