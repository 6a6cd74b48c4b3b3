// A folder for what a run needs on disk: configurations of peers, the tree of another commit. It is in the project
// folder, where git does not see it, and is removed at the end.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../scripts/config.ts'

export interface Scratch {
  readonly folder: string
  remove(): void
}

export function createScratch(): Scratch {
  const folder = mkdtempSync(join(projectRoot, '.data-bench-'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
