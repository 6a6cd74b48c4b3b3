// The command line of `npm run bench`.
import { parseArgs } from 'node:util'

export interface Choice {
  /** All that can be named, and those that are taken when none is. */
  readonly scenarios: readonly string[]
  readonly usualScenarios: readonly string[]
  readonly contestants: readonly string[]
}

export interface Options {
  readonly task: 'run' | 'peers' | 'help'
  readonly scenarios: readonly string[]
  readonly contestants: readonly string[]
  readonly rounds: number
  readonly measuredSeconds: number
  /** Of the open loop; null is half of what each contestant manages. */
  readonly requestsPerSecond: number | null
  /** A git ref to compare this tree with, in place of the contestants. */
  readonly compareWith: string | null
  /** The folder of the results; null is the usual one. */
  readonly resultsFolder: string | null
}

const usualRounds = 3
/** Enough for an interval that tells 2 % where the machine is quiet. */
const comparedRounds = 12
const usualSeconds = 2

export function usageOf(choice: Choice): string {
  return `npm run bench -- [options]
  --all                 every scenario, about an hour; without it: ${choice.usualScenarios.join(', ')}
  --scenario <name>     only this one, may be repeated: ${choice.scenarios.join(', ')}
  --contestant <name>   only this one, may be repeated: ${choice.contestants.join(', ')}
  --rounds <n>          rounds of each scenario (${usualRounds}; with --compare ${comparedRounds})
  --seconds <n>         measured seconds of each part of a round (${usualSeconds})
  --rate <n>            requests per second of the open loop, the same for all (half of what each one manages)
  --compare <git ref>   this tree against that commit, with the bound of what noise can do
  --results <folder>    where the results are written (bench/results)
  --peers               which other programs are found, and what to install for the rest

npm run bench -- matrix [options]   autocannon over many cases, against this tree or any --url; see matrix --help

Micro-benchmarks of one stage: node bench/stages/<stage>.ts`
}

/** Throws TypeError, with what to do about it, when the command line is wrong. */
export function readOptions(args: readonly string[], choice: Choice): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      all: { type: 'boolean', default: false },
      scenario: { type: 'string', multiple: true, default: [] },
      contestant: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      rate: { type: 'string' },
      compare: { type: 'string' },
      results: { type: 'string' },
      peers: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  const { all, scenario, contestant, rounds, seconds, rate, compare, peers, results, help } = values
  checkTogether(all, scenario, contestant, compare)
  const fewScenarios =
    compare === undefined ? choice.usualScenarios : choice.usualScenarios.slice(0, 1)
  const usual = all ? choice.scenarios : fewScenarios
  return {
    task: help ? 'help' : peers ? 'peers' : 'run',
    scenarios: pick(choice.scenarios, scenario, 'scenario') ?? usual,
    contestants: pick(choice.contestants, contestant, 'contestant') ?? choice.contestants,
    rounds: positive(rounds, '--rounds') ?? (compare === undefined ? usualRounds : comparedRounds),
    measuredSeconds: positive(seconds, '--seconds') ?? usualSeconds,
    requestsPerSecond: positive(rate, '--rate'),
    compareWith: compare ?? null,
    resultsFolder: results ?? null
  }
}

function checkTogether(
  all: boolean,
  scenario: readonly string[],
  contestant: readonly string[],
  compare: string | undefined
): void {
  if (all && scenario.length > 0) throw new TypeError('--all and --scenario: give one of them')
  if (compare !== undefined && contestant.length > 0) {
    throw new TypeError(
      '--compare measures this tree and that commit alone: leave --contestant out'
    )
  }
  if (compare === '') throw new TypeError('--compare takes a git ref, as in --compare HEAD~1')
}

/** In their usual order; null when none is named. */
function pick(known: readonly string[], named: readonly string[], kind: string) {
  const stranger = named.find((name) => !known.includes(name))
  if (stranger !== undefined) {
    throw new TypeError(`there is no ${kind} called ${stranger}, only ${known.join(', ')}`)
  }
  return named.length === 0 ? null : known.filter((name) => named.includes(name))
}

function positive(text: string | undefined, name: string): number | null {
  if (text === undefined) return null
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new TypeError(`${name} takes a number from 1 to 999999`)
  return Number(text)
}
