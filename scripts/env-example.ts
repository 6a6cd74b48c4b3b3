// `node scripts/env-example.ts`: writes .env.example from the two configuration schemas, so that the file a person copies
// from says exactly what the processes read, and drizzle/setting-names.ts, by which each process knows the settings of
// the others. A test fails when it was forgotten.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TObject } from 'typebox'
import { environmentSchema as controlPlaneSchema } from '../control-plane/config.ts'
import { environmentSchema as gatewaySchema } from '../gateway/config.ts'
import { projectRoot, quickStartSchema } from './config.ts'

const columns = 110
/** Its default is the number of cores of the machine that asks. */
const dependsOnMachine = new Set(['GATEWAY_THREADS'])

const preamble = `\
# Every setting of Sluice, with its default. A line without # has no default: it must be set in production, and
# \`npm start\` makes one of its own. Settings are environment variables of the processes; docker compose gives them
# those of a file named .env. Instead of any NAME there may be a NAME_FILE, the path of a file that holds the value.
# Everything that is wrong is told at once when a process starts, which then exits with code 78.
#
# Written by \`node scripts/env-example.ts\`.
`

const composeSection = `
${'# ---- docker compose alone '.padEnd(columns, '-')}

# the password of the database that compose runs, without characters that a URL escapes
MYSQL_PASSWORD=

# the address at which RPC and REST are published on the host
#PUBLISH_ADDRESS=127.0.0.1

# how long docker waits for a process that stops before it kills it: at least DRAIN_DELAY_MS and DRAIN_TIMEOUT_MS
# together, and 17 s more in which usage is written
#STOP_GRACE_PERIOD=45s

# the port of Prometheus on the host, at 127.0.0.1
#PROMETHEUS_PORT=9092
`

interface Property {
  description?: string
  default?: unknown
  minimum?: number
  maximum?: number
  anyOf?: { const: unknown }[]
}

/** The text of .env.example. */
export function envExample(): string {
  const gateway = Object.keys(gatewaySchema.properties)
  const controlPlane = Object.keys(controlPlaneSchema.properties)
  const shared = gateway.filter((name) => controlPlane.includes(name))
  const known = new Set([...gateway, ...controlPlane])
  const sections: [string, TObject, string[]][] = [
    ['both processes', gatewaySchema, shared],
    ['gateway', gatewaySchema, gateway.filter((name) => !shared.includes(name))],
    ['control plane', controlPlaneSchema, controlPlane.filter((name) => !shared.includes(name))],
    [
      'quick start alone',
      quickStartSchema,
      Object.keys(quickStartSchema.properties).filter((name) => !known.has(name))
    ]
  ]
  return preamble + sections.map((section) => sectionText(...section)).join('') + composeSection
}

function sectionText(title: string, schema: TObject, names: readonly string[]): string {
  const properties = schema.properties as Record<string, Property>
  const settings = names.map((name) => settingText(name, properties[name] ?? {}))
  return `\n${`# ---- ${title} `.padEnd(columns, '-')}\n${settings.join('')}`
}

function settingText(name: string, property: Property): string {
  const choices = property.anyOf?.map((choice) => choice.const).join(' or ')
  const range =
    property.minimum === undefined ? '' : ` (${property.minimum} to ${property.maximum})`
  const about = `${property.description}${choices === undefined ? '' : `: ${choices}`}${range}`
  const value = dependsOnMachine.has(name) ? '' : String(property.default ?? '')
  const line = property.default === undefined ? `${name}=` : `#${name}=${value}`
  return `\n${wrap(about)}\n${line}\n`
}

function wrap(text: string): string {
  const lines = ['#']
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`
    if (line.length > columns) lines.push(`# ${word}`)
    else lines[lines.length - 1] = line
  }
  return lines.join('\n')
}

/** Settings that a person sets and .env.example does not have. */
const namesOfTests = ['TEST_DATABASE_URL']

/** The text of drizzle/setting-names.ts. */
export function settingNames(): string {
  const names = [...envExample().matchAll(/^#?([A-Z][A-Z0-9_]+)=/gm)].map(([, name = '']) => name)
  const sorted = [...new Set([...names, ...namesOfTests])].sort()
  return `\
// The names of all settings of all processes, so that each can tell a misspelt one. Written by \`node scripts/env-example.ts\`.
export const settingNames: readonly string[] = [
${sorted.map((name) => `  '${name}'`).join(',\n')}
]
`
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(projectRoot, '.env.example'), envExample())
  writeFileSync(join(projectRoot, 'drizzle/setting-names.ts'), settingNames())
}
