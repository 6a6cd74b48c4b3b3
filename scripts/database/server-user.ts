// Who the private database server runs as. An ordinary user: that user. Root: a user of its own without a name, so that
// the server can reach its own files and nothing else; the numbers 65520 to 65533 are those that systemd's list of user
// ids leaves to nobody, and they exist inside a container's 16-bit range too.
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const firstId = 65_520
const lastId = 65_533

export interface ServerUser {
  /** Set when the server runs as a user of its own. */
  id: number | null
  /** Set when root runs it as root, and then says why. */
  note: string | null
}

/** Chooses the user and gives it the way to `folder`: `dataFolder` becomes its own, still closed to everybody else. */
export function prepareServerUser(dataFolder: string, folder: string): ServerUser {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (process.getuid?.() !== 0) return { id: null, note: null }
  const closed = ancestorsOf(dataFolder).find((path) => (lstatSync(path).mode & 0o001) === 0)
  if (closed !== undefined)
    return { id: null, note: `runs as root, as only root may enter ${closed}` }
  const id = ownerOf(dataFolder) ?? unusedId()
  if (id === null) return { id: null, note: 'runs as root, as no user id is free for it' }
  try {
    chownSync(dataFolder, id, id)
    giveTree(folder, id)
  } catch (error) {
    // In a user namespace that maps root alone there is no other user to be.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
    return { id: null, note: 'runs as root, as this container has no other user' }
  }
  chmodSync(dataFolder, 0o700)
  return { id, note: null }
}

/** Gives a folder and what is in it to a user. Links are not followed. */
export function giveTree(path: string, id: number): void {
  const stat = lstatSync(path)
  if (stat.isSymbolicLink()) return
  if (stat.uid !== id) chownSync(path, id, id)
  if (stat.isDirectory()) for (const name of readdirSync(path)) giveTree(join(path, name), id)
}

function ownerOf(path: string): number | null {
  const { uid } = lstatSync(path)
  return uid >= firstId && uid <= lastId ? uid : null
}

function unusedId(): number | null {
  const taken = new Set(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => Number(line.split(':')[2]))
  )
  for (let id = firstId; id <= lastId; id++) if (!taken.has(id)) return id
  return null
}

function ancestorsOf(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [] : [...ancestorsOf(parent), parent]
}
