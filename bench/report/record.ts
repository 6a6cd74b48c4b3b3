// The results as JSON: everything that the tables and charts are made of, every round, and the machine.
import type { Machine } from '../machine.ts'
import type { ScenarioResult } from '../rounds.ts'
import { sentenceOf, type Verdict } from '../targets.ts'
import { columnsOf, summaryOf } from './figures.ts'

export interface Report {
  readonly finishedAt: Date
  /** The command that measures this again. */
  readonly command: string
  readonly machine: Machine
  readonly rounds: number
  readonly measuredSeconds: number
  readonly contestants: readonly ReportedContestant[]
  readonly results: readonly ScenarioResult[]
  readonly verdicts: readonly Verdict[]
  /** Ratios are against this contestant. */
  readonly base: string
}

export interface ReportedContestant {
  readonly name: string
  readonly description: string
  readonly version: string | null
}

export function recordOf(report: Report): object {
  const { finishedAt, results, verdicts, ...rest } = report
  return {
    finishedAt: finishedAt.toISOString(),
    ...rest,
    scenarios: results.map(scenarioOf),
    targets: verdicts.map((verdict) => ({
      promise: verdict.target.promise,
      isMet: verdict.isMet,
      value: verdict.value,
      sentence: sentenceOf(verdict)
    }))
  }
}

function scenarioOf(result: ScenarioResult): object {
  const { scenario, rounds, absent, idleBytes } = result
  return {
    ...scenario,
    absent: Object.fromEntries(absent),
    contestants: [...rounds].map(([name, figures]) => ({
      name,
      idlePssBytes: idleBytes.get(name) ?? null,
      ...Object.fromEntries(
        columnsOf(scenario).map(({ figure }) => [figure, summaryOf(result, name, figure)])
      ),
      rounds: figures
    }))
  }
}
