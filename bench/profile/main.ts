// Where the time of a pass-through request goes: the gateway's serving thread under V8's profiler, at saturation, as a
// table by file. The profile itself is left for Chrome's DevTools.
//
//   node bench/profile/main.ts [seconds]
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../../scripts/config.ts'
import { createSluice } from '../contestants/sluice.ts'
import { createBenchDatabases } from '../database.ts'
import { stopPrograms } from '../program.ts'
import { align } from '../report/table.ts'
import { runScenario } from '../rounds.ts'
import { scenarios } from '../scenarios.ts'
import { createScratch } from '../scratch.ts'
import { type CpuProfile, idle, type Part, partsOf } from './profile.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const measuredSeconds = Number(process.argv[2] ?? 5)
if (!(measuredSeconds > 0)) throw new Error('usage: node bench/profile/main.ts [seconds]')
/** Parts that are less are added up. */
const partMin = 0.005

const started = new Date().toISOString().replaceAll(':', '-')
const folder = join(import.meta.dirname, '../results', `profile-${started}`)
mkdirSync(folder, { recursive: true })
const databases = createBenchDatabases(say)
const scratch = createScratch()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => void stopPrograms())
try {
  const sluice = createSluice({
    name: 'sluice',
    description: 'under the profiler',
    root: projectRoot,
    openDatabase: databases.create,
    nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${folder}`]
  })
  const [scenario] = scenarios.filter(({ name }) => name === 'single')
  if (scenario === undefined) throw new Error('there is no scenario called single')
  const pace = { rounds: 1, measuredSeconds, requestsPerSecond: null }
  await runScenario(scenario, [sluice], pace, { folder: scratch.folder, say })
} finally {
  await stopPrograms()
  await databases.stop()
  scratch.remove()
}
show(busiestOf(folder))
say(`\nprofiles: ${folder}`)

/** The profile of the serving thread: the one that did most. */
function busiestOf(folder: string): Part[] {
  const profiles = readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => partsOf(JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile))
  const [busiest] = profiles.sort((a, b) => busyUs(b) - busyUs(a))
  if (busiest === undefined) throw new Error(`the gateway left no profile in ${folder}`)
  return busiest
}

function busyUs(parts: readonly Part[]): number {
  return parts.reduce((sum, { name, us }) => sum + (name === idle ? 0 : us), 0)
}

function show(parts: readonly Part[]): void {
  const total = busyUs(parts)
  const large = parts.filter(({ name, us }) => name !== idle && us >= total * partMin)
  const rest = total - large.reduce((sum, { us }) => sum + us, 0)
  const rows = [...large, { name: 'all others', us: rest }].map(({ name, us }) => [
    name,
    `${((us / total) * 100).toFixed(1)} %`
  ])
  say(`\n${align([['part', 'of the busy time'], ...rows]).join('\n')}`)
}
