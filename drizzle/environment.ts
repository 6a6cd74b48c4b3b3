// Configuration is the environment, described by one typebox schema per process (gateway/config.ts,
// control-plane/config.ts). Everything wrong is told at once, each problem with the name of the variable and what it
// takes; a secret's value is never repeated. It lives beside the database client because everything that opens the
// database, and nothing else, is configured this way.
import { readFileSync } from 'node:fs'
import type { Static, TObject, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { findMisspellings } from './misspelling.ts'

/** The exit code of a process that was configured wrongly (EX_CONFIG of sysexits.h). */
export const exitCodeOfBadConfiguration = 78

export class ConfigurationError extends Error {
  override name = 'ConfigurationError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`the configuration has ${problems.length} problem(s):\n  ${problems.join('\n  ')}`)
    this.problems = problems
  }
}

/**
 * Reads the variables that `schema` names. A variable is unset when it is absent or empty; `NAME_FILE` names a file
 * that holds the value (for secrets). Numbers are decimal integers or fractions, booleans `true|false|1|0|on|off`.
 * Throws ConfigurationError with every problem found, misspelt names of ours included.
 */
export function readEnvironment<T extends TObject>(
  schema: T,
  env: Readonly<Record<string, string | undefined>>
): Static<T> {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  const required: readonly string[] = schema.required ?? []
  for (const [name, property] of Object.entries(schema.properties)) {
    const text = readText(name, env, problems)
    if (text === undefined) {
      if ('default' in property) values[name] = property.default
      else if (required.includes(name))
        problems.push(`${name} is not set. It is ${describe(property)}`)
      continue
    }
    const value = parse(text, property)
    if (Value.Check(property, value)) values[name] = value
    else problems.push(`${name} is not valid. It is ${describe(property)}`)
  }
  problems.push(...findMisspellings(env))
  if (problems.length > 0) throw new ConfigurationError(problems)
  return Object.freeze(values) as Static<T>
}

function readText(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[]
): string | undefined {
  const direct = env[name] || undefined
  const file = env[`${name}_FILE`] || undefined
  if (file === undefined) return direct
  if (direct !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set: keep one of them`)
    return undefined
  }
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    problems.push(`${name}_FILE cannot be read: ${(error as Error).message}`)
    return undefined
  }
}

const booleans: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  '1': true,
  '0': false,
  on: true,
  off: false
}

/** The text itself where it does not look like the type that is asked for, so that the check then fails. */
function parse(text: string, schema: TSchema): unknown {
  const { type } = schema as { type?: string }
  if (type === 'integer' || type === 'number') {
    return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  }
  if (type === 'boolean') return booleans[text.toLowerCase()] ?? text
  if (type === 'array') return text.split(',').map((item) => item.trim())
  return constantsOf(schema).find((constant) => String(constant) === text) ?? text
}

function describe(schema: TSchema): string {
  const { description, type, minimum, maximum } = schema as Record<string, unknown>
  const parts = [String(description ?? type)]
  if (type === 'integer' || type === 'number') {
    parts.push(
      `a number${minimum === undefined ? '' : ` from ${minimum}`}${maximum === undefined ? '' : ` to ${maximum}`}`
    )
  }
  if (type === 'boolean') parts.push('true or false')
  const choices = constantsOf(schema)
  if (choices.length > 0) parts.push(`one of ${choices.join(', ')}`)
  return parts.join('; ')
}

/** The constants of a union of literals, e.g. 429 and 402. */
function constantsOf(schema: TSchema): unknown[] {
  const { anyOf } = schema as { anyOf?: { const: unknown }[] }
  return (anyOf ?? []).map((member) => member.const)
}
