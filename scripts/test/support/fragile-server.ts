// A database server of a test's own that can be frozen, killed, and started again on the same port with the same data.
import { setTimeout as delay } from 'node:timers/promises'
import { createChildProcesses } from '../../child-processes.ts'
import { claimDataFolder } from '../../data-folder.ts'
import { openDatabaseServer } from '../../database/database-server.ts'
import { readPrivateJson } from '../../private-file.ts'
// The server carries the mark of the test file and ends with it.
import './processes.ts'

export interface FragileServer {
  /** What DATABASE_URL would be. */
  readonly url: string
  freeze(ms: number): Promise<void>
  killAndRestart(pauseMs: number): Promise<void>
  stop(): Promise<void>
}

/** @param settingsOf further options of the server, which may lie in the folder of the database. */
export async function startFragileServer(
  folder: string,
  settingsOf: (databaseFolder: string) => readonly string[] = () => []
): Promise<FragileServer> {
  const dataFolder = claimDataFolder(folder)
  const settings = settingsOf(dataFolder.at('database'))
  const processes = createChildProcesses(dataFolder)
  const { signal } = new AbortController()
  const open = () =>
    openDatabaseServer({ dataFolder, settings, processes, progress: () => undefined, signal })
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
