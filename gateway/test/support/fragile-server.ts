// A database server of a test's own that can be frozen, killed, and started again on the same port with the same data.
import { setTimeout as delay } from 'node:timers/promises'
import { createChildProcesses } from '../../../scripts/child-processes.ts'
import { claimDataFolder } from '../../../scripts/data-folder.ts'
import { openDatabaseServer } from '../../../scripts/database/database-server.ts'
import { readPrivateJson } from '../../../scripts/private-file.ts'

export interface FragileServer {
  /** What DATABASE_URL would be. */
  readonly url: string
  freeze(ms: number): Promise<void>
  killAndRestart(pauseMs: number): Promise<void>
  stop(): Promise<void>
}

export async function startFragileServer(folder: string): Promise<FragileServer> {
  const dataFolder = claimDataFolder(folder)
  const processes = createChildProcesses(dataFolder)
  const { signal } = new AbortController()
  const open = () =>
    openDatabaseServer({ dataFolder, processes, progress: () => undefined, signal })
  let server = await open()
  const pid = () => {
    const path = dataFolder.at('processes.json')
    const entries = readPrivateJson<{ name: string; pid: number }[]>(path) ?? []
    const entry = entries.find(({ name }) => name === 'database')
    if (entry === undefined) throw new Error(`${path} names no database`)
    return entry.pid
  }
  return {
    url: server.url,
    async freeze(ms) {
      process.kill(pid(), 'SIGSTOP')
      await delay(ms)
      process.kill(pid(), 'SIGCONT')
    },
    async killAndRestart(pauseMs) {
      process.kill(pid(), 'SIGKILL')
      await server.ended
      await delay(pauseMs)
      server = await open()
    },
    async stop() {
      await server.stop(10_000)
      dataFolder.release()
    }
  }
}
