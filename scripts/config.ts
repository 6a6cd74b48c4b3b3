// What the quick start and the test run take from the environment. Nothing else in scripts/ reads it.
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import Type, { type Static } from 'typebox'
import {
  databaseUrlForm,
  databaseUrlSchema,
  optionalDatabaseUrlSchema
} from '../drizzle/database-url.ts'
import { ConfigurationError, readEnvironment } from '../drizzle/environment.ts'

export const projectRoot = join(import.meta.dirname, '..')

export type Environment = Readonly<Record<string, string | undefined>>

const port = (fallback: number, description: string) =>
  Type.Integer({ default: fallback, minimum: 1, maximum: 65_535, description })
const host = (description: string) => Type.String({ default: '127.0.0.1', description })
const optional = (pattern: string, description: string) =>
  Type.String({ default: '', pattern, description })

export const quickStartSchema = Type.Object({
  DATABASE_URL: optionalDatabaseUrlSchema(
    `the database, ${databaseUrlForm}; unset, the quick start runs its own`
  ),
  SLUICE_DATA_DIR: Type.String({
    default: '.data',
    description: 'the folder that holds everything the quick start creates'
  }),
  SECRET_KEY: optional('', 'the keys that seal what must be read again; unset, one is made'),
  JWT_SECRET: optional('', 'the secrets that sign access tokens; unset, one is made'),
  GATEWAY_HOST: host('the address that serves RPC'),
  GATEWAY_PORT: port(8080, 'the port that serves RPC'),
  GATEWAY_ADMIN_HOST: host("the address of the gateway's health and metrics"),
  GATEWAY_ADMIN_PORT: port(9090, "the port of the gateway's health and metrics"),
  GATEWAY_THREADS: Type.Integer({
    default: availableParallelism(),
    minimum: 1,
    maximum: 256,
    description: 'worker threads of the gateway'
  }),
  CONTROL_PLANE_HOST: host('the address that serves REST and the portal'),
  CONTROL_PLANE_PORT: port(3000, 'the port that serves REST and the portal'),
  CONTROL_PLANE_ADMIN_HOST: host("the address of the control plane's health and metrics"),
  CONTROL_PLANE_ADMIN_PORT: port(9091, "the port of the control plane's health and metrics"),
  DEMO_CHAIN_PORT: port(8545, 'the port of the demo chain node')
})

export const portNames = [
  'GATEWAY_PORT',
  'GATEWAY_ADMIN_PORT',
  'CONTROL_PLANE_PORT',
  'CONTROL_PLANE_ADMIN_PORT',
  'DEMO_CHAIN_PORT'
] as const

export type QuickStartConfig = Static<typeof quickStartSchema>

/** Throws ConfigurationError with every problem. A relative data folder is one inside this clone. */
export function readQuickStartConfig(env: Environment = process.env): QuickStartConfig {
  const values = readEnvironment(quickStartSchema, env)
  const problems: string[] = []
  portNames.forEach((name, index) => {
    const other = portNames.slice(0, index).find((earlier) => values[earlier] === values[name])
    if (other !== undefined) problems.push(`${name} and ${other} are both ${values[name]}`)
  })
  if (problems.length > 0) throw new ConfigurationError(problems)
  return { ...values, SLUICE_DATA_DIR: resolve(projectRoot, values.SLUICE_DATA_DIR) }
}

/** Where the tests find a database server; null is "run a private one". */
export function readTestDatabaseUrl(env: Environment = process.env): string | null {
  const schema = Type.Object({
    TEST_DATABASE_URL: optionalDatabaseUrlSchema(
      'a server on which tests may create databases, mysql://user:password@host:port/',
      false
    )
  })
  return readEnvironment(schema, env).TEST_DATABASE_URL || null
}

/** What a person wants of every Node, e.g. `--inspect`. */
export function readNodeOptions(env: Environment = process.env): string {
  return env.NODE_OPTIONS ?? ''
}

/** What `npm run migrate` needs. */
export function readMigrationConfig(env: Environment = process.env): { databaseUrl: string } {
  const schema = Type.Object({ DATABASE_URL: databaseUrlSchema })
  return { databaseUrl: readEnvironment(schema, env).DATABASE_URL }
}

/** The environment of a child: this process's own, with `values` instead of what it said about the same names. */
export function childEnvironment(
  values: Readonly<Record<string, string | number>> = {},
  env: Environment = process.env
): Record<string, string | undefined> {
  const result: Record<string, string | undefined> = { ...env }
  for (const [name, value] of Object.entries(values)) {
    delete result[`${name}_FILE`]
    result[name] = String(value)
  }
  return result
}

/** Entries of the environment by which a reaper finds what a test run, or one test file of it, has started. */
const markNames = ['TEST_RUN_MARK', 'TEST_FILE_MARK'] as const
export type MarkName = (typeof markNames)[number]

/** Whatever this process starts from now on inherits the mark. */
export function setMark(name: MarkName, value: string): void {
  process.env[name] = value
}

/** The marks of this process, for a child that inherits nothing else. */
export function marks(env: Environment = process.env): Record<string, string> {
  return Object.fromEntries(
    markNames.flatMap((name) => {
      const value = env[name]
      return value === undefined ? [] : [[name, value]]
    })
  )
}

/** The folders in which programs are looked for. */
export function programFolders(env: Environment = process.env): string[] {
  return (env.PATH ?? '').split(':').filter((folder) => folder !== '')
}
