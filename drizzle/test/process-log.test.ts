// One schema for both planes, and no api key in any line, wherever it stands.
import t from 'tap'
import { newApiKey } from '../api-key.ts'
import { createProcessLog } from '../process-log.ts'

function open(service: 'gateway' | 'control-plane', thread?: number) {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  return { log: createProcessLog({ level: 'info', service, thread, destination }), lines }
}

t.test('log: both planes write the same fields in the same form', async (t) => {
  for (const { log, lines } of [open('gateway', 3), open('gateway'), open('control-plane')]) {
    log.warn({ request_id: 'r1', err: new Error('planted') }, 'something')
    const line = JSON.parse(lines[0] ?? '')
    t.equal(line.level, 'warn')
    t.equal(new Date(line.time).toISOString(), line.time)
    t.match(line, { service: String, request_id: 'r1', msg: 'something' })
    t.match(line.err, { type: 'Error', message: 'planted', stack: String })
    t.notOk('name' in line || 'pid' in line || 'hostname' in line)
  }
  const { log, lines } = open('gateway', 3)
  log.info('x')
  t.equal(JSON.parse(lines[0] ?? '').thread, 3)
})

t.test('log: an api key is masked in any place of a line', async (t) => {
  const { log, lines } = open('control-plane')
  const secret = newApiKey()
  const places = [
    `/api=${secret}`,
    `/v1/orgs/${secret}/usage`,
    `/v2/${secret}`,
    `/api%3D${secret}`,
    `/${secret.replace('_', '%5F')}/x`,
    `${secret.slice(0, -2)}xx is mistyped`,
    secret.slice(0, 30)
  ]
  for (const path of places) log.info({ path }, 'request')
  log.info(`the key ${secret} came`)
  log.error({ err: new Error(`bad path /${secret}`, { cause: new Error(secret) }) }, 'bug')
  const random = secret.slice(4, 30)
  t.notMatch(lines.join(''), random)
  for (const line of lines) t.doesNotThrow(() => JSON.parse(line))
  log.info({ prefix: secret.slice(0, 8) }, 'what may be shown of a key')
  t.match(lines.at(-1), secret.slice(0, 8))
})

t.test('log: an imported key is masked where the gateway takes it', async (t) => {
  const { log, lines } = open('control-plane')
  log.info({ path: '/api=ETH0123456789ABCDEF/x' }, 'request')
  t.match(lines[0], '"/api=[redacted]/x"')
})
