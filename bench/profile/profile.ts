// Reads a .cpuprofile of V8: how much of the time was spent in which part of the program.

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string }
  readonly children?: readonly number[]
}

export interface Part {
  readonly name: string
  readonly us: number
}

export const idle = '(idle)'

/**
 * Self time by part: a file of ours, a package, `node` for Node's own JavaScript, or what V8 puts in brackets. Time in
 * native functions (system calls, uWebSockets.js) is the caller's, marked as native. The longest first.
 */
export function partsOf({ nodes, samples, timeDeltas }: CpuProfile): Part[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const))
  )
  const names = new Map(nodes.map(({ id }) => [id, nameOf(id)]))
  const times = new Map<string, number>()
  for (const [place, id] of samples.entries()) {
    const name = names.get(id) ?? '(unknown)'
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[place] ?? 0))
  }
  return [...times].map(([name, us]) => ({ name, us })).sort((a, b) => b.us - a.us)

  function nameOf(id: number): string {
    const frame = byId.get(id)?.callFrame
    if (frame === undefined) return '(unknown)'
    if (frame.url !== '') return partOf(frame.url)
    if (frame.functionName.startsWith('(')) return frame.functionName
    return `${callerOf(id)}: native`
  }

  function callerOf(id: number): string {
    let at = parents.get(id)
    while (at !== undefined) {
      const frame = byId.get(at)?.callFrame
      if (frame !== undefined && frame.url !== '') return partOf(frame.url)
      at = parents.get(at)
    }
    return '(program)'
  }
}

/** The part that a script belongs to. */
export function partOf(url: string): string {
  if (url.startsWith('node:')) return 'node'
  const [, inPackage] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? []
  if (inPackage !== undefined) return inPackage
  return /\/((?:gateway|drizzle)\/.*)\.ts$/.exec(url)?.[1] ?? url
}
