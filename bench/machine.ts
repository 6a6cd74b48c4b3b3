// What the figures were measured on, and who runs on which core: what is measured has cores for itself, what loads it
// and what stands behind it share the others. Without taskset, or with one core, everything floats, and the results say
// so.
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

export interface Placement {
  readonly contestant: readonly number[]
  readonly load: readonly number[]
}

const measuredPackages = ['@uwsjs/linux-x64-22', 'undici', 'quick-lru', '@fastify/http-proxy']

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

/**
 * A contestant of so many threads has as many cores, as long as one is left for the load: on two cores, four threads
 * share one, which still tells what a request costs.
 */
export function placementOf(threads: number, cores: number = availableParallelism()): Placement {
  const owned = Math.max(1, Math.min(threads, cores - 1))
  const all = Array.from({ length: Math.max(2, cores) }, (_, core) => core)
  return { contestant: all.slice(0, owned), load: all.slice(owned) }
}

/** `program args…` pinned to cores, where that can be done. */
export function pinned(
  cores: readonly number[],
  program: string,
  args: readonly string[]
): [string, string[]] {
  return unpinnedBecause === null
    ? ['taskset', ['-c', cores.join(), program, ...args]]
    : [program, [...args]]
}

/** What a program prints, trimmed; null when it is not there or fails. */
export function outputOf(program: string, args: readonly string[]): string | null {
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

const unpinnedBecause = findObstacle()

function findObstacle(): string | null {
  if (availableParallelism() < 2) return 'there is only one core'
  const all = placementOf(1)
  const cores = [...all.contestant, ...all.load].join()
  return outputOf('taskset', ['-c', cores, 'true']) === null
    ? `taskset is not installed (util-linux), or cores ${cores} are not ours`
    : null
}

function versionOf(name: string): string {
  const path = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(path, 'utf8')).version
}
