// Files that hold secrets: readable by their owner alone, and never half-written, because they are written beside their
// place and renamed into it.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

export function writePrivateJson(path: string, value: unknown): void {
  const draft = `${path}.new`
  writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flush: true })
  renameSync(draft, path)
}

/** Undefined when there is no such file. Throws when it is there and is not JSON. */
export function readPrivateJson<T>(path: string): T | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return JSON.parse(text) as T
}
