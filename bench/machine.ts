// What the figures were measured on, and who runs on which core: what is measured has core 0 for itself, what loads it
// and what stands behind it share core 1. Without taskset, or with one core, everything floats, and the results say so.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly node: string
  readonly versions: Readonly<Record<string, string>>
  readonly commit: string | null
  /** Of the minute before the bench: what else the machine was busy with. */
  readonly loadAverage: number
  /** Null when processes are pinned, else why they are not. */
  readonly unpinnedBecause: string | null
}

export const cores = { contestant: 0, load: 1 } as const
export type Core = (typeof cores)[keyof typeof cores]

const measuredPackages = ['@uwsjs/core', 'undici', 'autocannon', 'quick-lru']

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    versions: Object.fromEntries(measuredPackages.map((name) => [name, versionOf(name)])),
    commit: outputOf('git', ['describe', '--always', '--dirty', '--abbrev=10']),
    loadAverage: loadavg()[0] ?? 0,
    unpinnedBecause
  }
}

/** `program args…` pinned to a core, where that can be done. */
export function pinned(core: Core, program: string, args: readonly string[]): [string, string[]] {
  return unpinnedBecause === null
    ? ['taskset', ['-c', String(core), program, ...args]]
    : [program, [...args]]
}

const unpinnedBecause = findObstacle()

function findObstacle(): string | null {
  if (outputOf('taskset', ['-c', `${cores.contestant},${cores.load}`, 'true']) !== null) return null
  return availableParallelism() < 2
    ? 'there is only one core'
    : 'taskset is not installed (util-linux), or cores 0 and 1 are not ours'
}

/** Null when the program is not there or fails. */
function outputOf(program: string, args: readonly string[]): string | null {
  try {
    return execFileSync(program, args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore']
    }).trim()
  } catch {
    return null
  }
}

function versionOf(name: string): string {
  const path = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(path, 'utf8')).version
}
