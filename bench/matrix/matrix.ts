// `npm run bench -- matrix`: autocannon over a matrix of cases, against a gateway of this tree or one that runs already.
// Each round goes over all cases, so that a noisy minute hits all of them; a run in which anything but the expected
// answers came back, or in which the node saw another number of calls than autocannon, fails.
import type { Contestant } from '../contestants/contestant.ts'
import { type Run, type RunResult, runAutocannon } from './autocannon-run.ts'
import type { Case } from './cases.ts'
import type { MatrixOptions } from './command-line.ts'
import { type CrossCheck, crossCheck } from './cross-check.ts'
import { describeRunning, type Subject, startOwn } from './subject.ts'

export interface CaseResult {
  readonly asked: Case
  readonly runs: readonly RunResult[]
}

export interface MatrixResult {
  readonly cases: readonly CaseResult[]
  /** What was not asked, and why. */
  readonly leftOut: ReadonlyMap<string, string>
  /** Null where the open-loop generator cannot ask this gateway. */
  readonly check: CrossCheck | null
}

export interface MatrixDeps {
  readonly gateway: Contestant
  readonly folder: string
  readonly say: (line: string) => void
}

const warmUpSeconds = 1

export async function runMatrix(
  chosen: readonly Case[],
  options: MatrixOptions,
  deps: MatrixDeps
): Promise<MatrixResult> {
  const leftOut = new Map<string, string>()
  const results = new Map<Case, RunResult[]>()
  let check: CrossCheck | null = null
  for (const group of groupsOf(chosen, options, leftOut)) {
    const [first] = group as [Case]
    const subject = await open(first, group, options, deps)
    try {
      for (let round = 1; round <= options.rounds; round++) {
        for (const asked of group) {
          const result = await runCase(asked, subject, options)
          results.set(asked, [...(results.get(asked) ?? []), result])
          deps.say(`  round ${round}, ${asked.name}: ${describe(result)}`)
          if (options.hasTables) deps.say(result.tables)
        }
      }
      const single = group.find(({ name }) => name === 'single')
      if (single !== undefined) check = await crossCheck(single, subject, options)
    } finally {
      await subject.stop()
    }
  }
  return { cases: [...results].map(([asked, runs]) => ({ asked, runs })), leftOut, check }
}

/** Cases that one gateway and one node can serve. */
function groupsOf(
  chosen: readonly Case[],
  { urls }: MatrixOptions,
  leftOut: Map<string, string>
): Case[][] {
  if (urls.length === 0) {
    return [...Map.groupBy(chosen, ({ answerBytes, calls }) => `${answerBytes} ${calls}`).values()]
  }
  const asked = chosen.filter(({ name, ownOnlyBecause }) => {
    if (ownOnlyBecause !== null) leftOut.set(name, ownOnlyBecause)
    return ownOnlyBecause === null
  })
  return asked.length === 0 ? [] : [asked]
}

async function open(
  first: Case,
  group: readonly Case[],
  { urls }: MatrixOptions,
  { gateway, folder }: MatrixDeps
): Promise<Subject> {
  if (urls.length > 0) return describeRunning(urls)
  return await startOwn(gateway, first, Math.max(...group.map(({ keys }) => keys)), folder)
}

async function runCase(asked: Case, subject: Subject, options: MatrixOptions): Promise<RunResult> {
  const { origin, pids, placement } = subject
  const run: Run = {
    origin,
    paths: subject.pathsOf(asked),
    body: asked.body,
    connections: asked.connections,
    requestsPerSecond: null,
    warmUpSeconds,
    seconds: options.seconds,
    pids
  }
  // The warm-up is a run of its own, so that what the node saw of it is not counted.
  await runAutocannon({ ...run, warmUpSeconds: 0, seconds: warmUpSeconds }, placement)
  const before = await subject.countAsked()
  const result = await runAutocannon({ ...run, warmUpSeconds: 0 }, placement)
  checkAnswers(asked, result)
  checkCount(asked, result, before, await subject.countAsked())
  return result
}

/** Throws unless every answer was one of the expected ones: the figures would be of something else. */
export function checkAnswers(asked: Case, { answersByStatus, faults, answers }: RunResult): void {
  const wrong = Object.entries(answersByStatus)
    .filter(([status]) => !asked.statuses.includes(Number(status)))
    .map(([status, count]) => `${count} × ${status}`)
  const broken = Object.entries(faults).map(([word, count]) => `${count} × ${word}`)
  if (wrong.length > 0 || broken.length > 0) {
    throw new Error(`${asked.name}: unexpected answers: ${[...wrong, ...broken].join(', ')}`)
  }
  if (answers === 0) throw new Error(`${asked.name}: no answer came`)
}

/**
 * What reached the node is what was answered with 200, and at most two more for each connection: one that was cut at the
 * end, and one that the warm-up left under way.
 */
export function checkCount(
  asked: Case,
  { answersByStatus }: RunResult,
  before: number | null,
  after: number | null
): void {
  if (before === null || after === null) return
  const answered = answersByStatus['200'] ?? 0
  const seen = after - before
  if (seen >= answered && seen <= answered + 2 * asked.connections) return
  throw new Error(
    `${asked.name}: autocannon counted ${answered} answers, and the node ${seen} requests`
  )
}

function describe({ answers, elapsedSeconds, latencyUs }: RunResult): string {
  const rate = Math.round(answers / elapsedSeconds)
  return `${rate} requests/s, p50 ${(latencyUs.p50 / 1000).toFixed(2)} ms, p99 ${(latencyUs.p99 / 1000).toFixed(2)} ms`
}
