// docker-compose.yml and the image can only be run where there is an engine; what can be wrong without one is checked
// here: names of settings, and files that are mentioned and must be there.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environmentSchema as controlPlaneSchema } from '../../control-plane/config.ts'
import { environmentSchema as gatewaySchema } from '../../gateway/config.ts'
import { projectRoot } from '../config.ts'

const read = (name: string) => readFileSync(join(projectRoot, name), 'utf8')
const compose = read('docker-compose.yml')

t.test('every setting in docker-compose.yml is one that a process reads', async (t) => {
  const known = new Set([
    ...Object.keys(gatewaySchema.properties),
    ...Object.keys(controlPlaneSchema.properties)
  ])
  const names = [...compose.matchAll(/^ +([A-Z][A-Z_]+):/gm)].map(([, name = '']) => name)
  const ours = names.filter((name) => !name.startsWith('MYSQL_'))
  t.ok(ours.length > 10)
  t.same(
    ours.filter((name) => !known.has(name)),
    []
  )
})

t.test('docker waits for longer than a drain may take', async (t) => {
  const seconds = Number(compose.match(/stop_grace_period: \$\{STOP_GRACE_PERIOD:-(\d+)s\}/)?.[1])
  const { DRAIN_DELAY_MS, DRAIN_TIMEOUT_MS } = gatewaySchema.properties as Record<
    string,
    { default?: number }
  >
  const drainMs = (DRAIN_DELAY_MS?.default ?? NaN) + (DRAIN_TIMEOUT_MS?.default ?? NaN)
  t.ok(seconds * 1000 >= drainMs + 17_000, `${seconds} s`)
})

t.test('URLs and mails name the ports that are published', async (t) => {
  for (const [setting, port] of [
    ['PUBLIC_RPC_URL', 'GATEWAY_PORT:-8080'],
    ['PORTAL_ORIGIN', 'CONTROL_PLANE_PORT:-3000']
  ]) {
    t.ok(compose.includes(`${setting}: $` + `{${setting}:-http://127.0.0.1:$` + `{${port}}}`))
    t.ok(compose.includes(`{PUBLISH_ADDRESS:-127.0.0.1}:\${${port}}:`))
  }
})

t.test('a gateway keeps its name, logs are rotated, and every compose 2 reads it', async (t) => {
  t.match(compose, /hostname: gateway\n/)
  t.match(compose, /NODE_ID: \$\{NODE_ID:-gateway\}/)
  t.equal(compose.match(/ logging: [&*]logging$/gm)?.length, 3)
  t.match(compose, /env_file: \[\.env\]/)
})

t.test('every file that is run or mounted is there, and in the image', async (t) => {
  const mentioned = (text: string) =>
    [...text.matchAll(/(?:scripts|gateway|control-plane)\/[\w.-]+\.(?:ts|sh|yml)/g)].map(
      ([path]) => path
    )
  const paths = new Set([...mentioned(compose), ...mentioned(read('Dockerfile'))])
  t.ok(paths.size >= 6)
  for (const path of paths) t.ok(existsSync(join(projectRoot, path)), path)
  const ignored = read('.dockerignore')
  for (const [, from = ''] of read('Dockerfile').matchAll(/^COPY (.+) \S+$/gm)) {
    for (const path of from.split(' ')) {
      t.match(ignored, new RegExp(`^!${path.split('/')[0]}$`, 'm'), `${path} reaches the build`)
    }
  }
})
