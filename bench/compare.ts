// `--compare <ref>`: whether this tree is faster or slower than that commit, beyond what noise can do.
//
// The commit is checked out into a folder of the run's scratch, and shares our node_modules. It lays out its own database
// and runs its own gateway; upstream, load and rounds are ours, for both.
import { execFileSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../scripts/config.ts'
import type { Figures } from './measurement.ts'
import { valuesOf } from './report/figures.ts'
import { align } from './report/table.ts'
import type { ScenarioResult } from './rounds.ts'
import { type Interval, ratioOfMedians } from './statistics.ts'

export interface OtherTree {
  readonly root: string
  /** Abbreviated. */
  readonly commit: string
  /** Whether its package.json asks for what ours does. */
  readonly hasOurDependencies: boolean
  remove(): void
}

/** Throws when git does not know the ref. `remove` must be called, whatever happens. */
export function checkOut(ref: string, folder: string): OtherTree {
  let commit: string
  try {
    commit = git('rev-parse', '--short=10', '--verify', `${ref}^{commit}`)
  } catch {
    throw new Error(`git knows no commit called ${ref}: give a branch, a tag or a hash`)
  }
  const root = join(folder, 'other-tree')
  git('worktree', 'add', '--detach', '--quiet', root, commit)
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'))
  return {
    root,
    commit,
    hasOurDependencies: dependenciesOf(root) === dependenciesOf(projectRoot),
    remove: () => void git('worktree', 'remove', '--force', root)
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: projectRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe']
  }).trim()
}

function dependenciesOf(root: string): string {
  return JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies)
}

const compared: readonly {
  readonly figure: keyof Figures
  readonly title: string
  readonly isLessBetter: boolean
}[] = [
  { figure: 'cpuUsPerRequest', title: 'CPU per request', isLessBetter: true },
  { figure: 'requestsPerSecond', title: 'requests/s', isLessBetter: false },
  { figure: 'p50Us', title: 'p50 at a fixed rate', isLessBetter: true },
  { figure: 'p99Us', title: 'p99 at a fixed rate', isLessBetter: true },
  { figure: 'pssBytes', title: 'memory', isLessBetter: true }
]

/** One line for each figure: the ratio of the medians, ours over theirs, its 95 % interval, and what that says. */
export function comparisonOf(result: ScenarioResult, ours: string, theirs: string): string {
  const rows = compared.flatMap(({ figure, title, isLessBetter }) => {
    const mine = valuesOf(result.rounds.get(ours) ?? [], figure)
    const others = valuesOf(result.rounds.get(theirs) ?? [], figure)
    if (mine === null || others === null) return []
    const interval = ratioOfMedians(mine, others)
    const { ratio, low, high } = interval
    const bounds = `${low.toFixed(3)}–${high.toFixed(3)}`
    return [[title, ratio.toFixed(3), bounds, verdictOf(interval, isLessBetter)]]
  })
  const titles = ['figure', 'ratio', '95 % interval', 'verdict']
  return [`${result.scenario.name}: ${ours} over ${theirs}`, ...align([titles, ...rows])].join('\n')
}

/** A difference is one when no likely ratio is 1. */
export function verdictOf({ ratio, low, high }: Interval, isLessBetter: boolean): string {
  if (low <= 1 && high >= 1) return 'no difference beyond noise'
  const percent = `${Math.abs((ratio - 1) * 100).toFixed(1)} %`
  return ratio < 1 === isLessBetter ? `better by ${percent}` : `WORSE by ${percent}`
}
