// `node bench/usage/main.ts [one-org] [many-orgs]`: how long a dashboard waits when 90 days of 2,000 keys × 6 methods are in
// the tables. Fills a database of its own, asks every question over HTTP, prints what it took, and drops the database.
//
// The sums of orgs and endpoints are complete, and so is the detail by day. The detail by hour and by minute is that of all
// keys for 7 days and 1 hour, and complete for the keys that questions lead to: complete for all, it would be 60 million
// rows, of which no question reads more than it reads here.
import { availableParallelism, loadavg } from 'node:os'
import { openDatabase } from '../../drizzle/client.ts'
import { migrate } from '../../drizzle/migrate.ts'
import { createBenchDatabases } from '../database.ts'
import { startControlPlane } from './control-plane.ts'
import { methods } from './methods.ts'
import { type Question, questionsOf } from './questions.ts'
import { seedUsage, type UsageDepth, type UsageShape } from './seed.ts'

const rounds = 5
const targetMs = 200

const depth = { days: 90, hours: 90 * 24, minutes: 48 * 60, detailHours: 7 * 24, detailMinutes: 60 }

interface Case {
  shape: UsageShape
  depth: UsageDepth
}
const cases: Readonly<Record<string, Case>> = {
  'one-org': {
    shape: { orgs: 1, endpointsPerOrg: 500, keysPerEndpoint: 4, methods },
    // Every 200th key has most of the calls, and each of them is one of these endpoints'.
    depth: { ...depth, isFull: (_org, endpoint) => endpoint === 0 || (endpoint + 1) % 10 === 0 }
  },
  'many-orgs': {
    shape: { orgs: 100, endpointsPerOrg: 5, keysPerEndpoint: 4, methods },
    depth: { ...depth, isFull: (org) => org === 99 }
  }
}

const say = (line: string) => process.stdout.write(`${line}\n`)
const databases = createBenchDatabases(say)

async function main(names: readonly string[]): Promise<void> {
  try {
    for (const name of names) {
      const found = cases[name]
      if (found === undefined) throw new Error(`there is no ${name}: ${Object.keys(cases)}`)
      await measure(name, found)
    }
  } finally {
    await databases.stop()
  }
}

async function measure(name: string, { shape, depth }: Case): Promise<void> {
  const { url, drop } = await databases.create()
  const database = openDatabase(url, { statementTimeoutMs: 300_000 })
  try {
    await migrate(database)
    const now = new Date()
    const startedAt = performance.now()
    const orgs = await seedUsage(database, shape, depth, now, (line) =>
      say(`  ${Math.round((performance.now() - startedAt) / 1000)} s: ${line}`)
    )
    say(`${name}: ${shape.orgs} org(s) × ${shape.endpointsPerOrg} endpoints × 4 keys × 6 methods`)
    const asked = orgs.at(-1)
    if (asked === undefined) throw new Error('there is no org to ask about')
    const plane = await startControlPlane(url)
    try {
      const widest = await askAll(plane.ask, questionsOf(asked, now))
      const load = loadavg()[0]?.toFixed(1)
      say(`  the slowest median: ${widest.toFixed(0)} ms; the target is ${targetMs} ms`)
      say(
        `  load average ${load} on ${availableParallelism()} cores: above 1, others had their part`
      )
    } finally {
      await plane.stop()
    }
  } finally {
    await database.close()
    await drop()
  }
}

type Ask = Awaited<ReturnType<typeof startControlPlane>>['ask']

/** Returns the longest median. */
async function askAll(ask: Ask, questions: readonly Question[]): Promise<number> {
  say(
    `  ${'question'.padEnd(42)} ${['first', 'best', 'median', 'rows', 'KB'].map(column).join(' ')}`
  )
  let longest = 0
  for (const { name, path } of questions) {
    const first = await ask(path)
    const times: number[] = []
    for (let round = 0; round < rounds; round++) times.push((await ask(path)).ms)
    times.sort((one, other) => one - other)
    const [best = Number.NaN] = times
    const median = times[rounds >> 1] ?? Number.NaN
    const figures = [
      first.ms.toFixed(0),
      best.toFixed(1),
      median.toFixed(1),
      String(rowsOf(first.text)),
      (first.text.length / 1000).toFixed(0)
    ]
    say(`  ${name.padEnd(42)} ${figures.map(column).join(' ')}`)
    longest = Math.max(longest, median)
  }
  return longest
}

const column = (text: string) => text.padStart(8)

/** Points, errors or lines of an answer. */
function rowsOf(text: string): number {
  if (!text.startsWith('{')) return text.split('\r\n').length - 2
  return (JSON.parse(text) as { data?: unknown[] }).data?.length ?? 1
}

const asked = process.argv.slice(2)
await main(asked.length > 0 ? asked : Object.keys(cases))
