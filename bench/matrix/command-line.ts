// The command line of `npm run bench -- matrix`.
import { parseArgs } from 'node:util'

export interface MatrixOptions {
  readonly task: 'run' | 'help'
  /** Endpoints of a running gateway, each with its key; empty is a gateway of our own. */
  readonly urls: readonly string[]
  readonly scenarios: readonly string[]
  readonly rounds: number
  readonly seconds: number
  /** Whether autocannon's own tables are printed. */
  readonly hasTables: boolean
  /** The folder of the results; null is the usual one. */
  readonly resultsFolder: string | null
}

const usualRounds = 3
const usualSeconds = 2

export function matrixUsageOf(scenarios: readonly string[]): string {
  return `npm run bench -- matrix [options]
  --url <url>           a running gateway, as http://127.0.0.1:8080/api=<key>; several are several keys
                        (without it: a gateway of this tree, its own database and node)
  --scenario <name>     only this one, may be repeated: ${scenarios.join(', ')}
  --rounds <n>          how often each scenario is run (${usualRounds})
  --seconds <n>         measured seconds of each run (${usualSeconds})
  --tables              autocannon's own tables of each run, too
  --results <folder>    where the results are written (bench/results)`
}

/** Throws TypeError, with what to do about it, when the command line is wrong. */
export function readMatrixOptions(
  args: readonly string[],
  scenarios: readonly string[]
): MatrixOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string', multiple: true, default: [] },
      scenario: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string', default: String(usualRounds) },
      seconds: { type: 'string', default: String(usualSeconds) },
      tables: { type: 'boolean', default: false },
      results: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  const stranger = values.scenario.find((name) => !scenarios.includes(name))
  if (stranger !== undefined) {
    throw new TypeError(`there is no scenario called ${stranger}, only ${scenarios.join(', ')}`)
  }
  for (const url of values.url) checkUrl(url)
  return {
    task: values.help ? 'help' : 'run',
    urls: values.url,
    scenarios:
      values.scenario.length === 0
        ? scenarios
        : scenarios.filter((name) => values.scenario.includes(name)),
    rounds: countOf(values.rounds, '--rounds'),
    seconds: countOf(values.seconds, '--seconds'),
    hasTables: values.tables,
    resultsFolder: values.results ?? null
  }
}

/** The message does not repeat the URL, which holds a key. */
function checkUrl(text: string): void {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || !/^\/api=[^/]+/.test(url.pathname)) {
    throw new TypeError('--url takes an endpoint with its key, as http://127.0.0.1:8080/api=<key>')
  }
}

function countOf(text: string, name: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new TypeError(`${name} takes a number from 1 to 9999`)
  return Number(text)
}
