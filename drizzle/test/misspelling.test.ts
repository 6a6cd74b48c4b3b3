// A typo in the name of a setting is told; a variable of another program never is.
import t from 'tap'
import Type from 'typebox'
import { ConfigurationError, readEnvironment } from '../environment.ts'
import { findMisspellings } from '../misspelling.ts'
import { settingNames } from '../setting-names.ts'

const meant = (name: string, env: Record<string, string> = {}) =>
  findMisspellings({ ...env, [name]: '1' }).map((sentence) => sentence.match(/mean (\S+)\?/)?.[1])

t.test('a name with up to two letters wrong is told, with the one that was meant', async (t) => {
  t.same(meant('GATEWAY_THREDS'), ['GATEWAY_THREADS'])
  t.same(meant('GATEWAY_THRAEDS'), ['GATEWAY_THREADS'])
  t.same(meant('gateway_threads'), ['GATEWAY_THREADS'])
  t.same(meant('KEY_CACHE_TTLS'), ['KEY_CACHE_TTL'])
  t.same(meant('DATABSE_URL_FILE'), ['DATABASE_URL_FILE'])
  t.same(findMisspellings({ SLUICE_DATA: '1' }).length, 1, 'what begins with SLUICE_ is ours')
})

t.test('every name of ours is known, alone and as a file', async (t) => {
  for (const name of settingNames) {
    t.same(findMisspellings({ [name]: '1' }), [])
    t.same(findMisspellings({ [`${name}_FILE`]: '1' }), [])
  }
})

t.test('what other programs read is nobody of our business', async (t) => {
  const foreign =
    'NODE_ENV NODE_IP NODE_OPTIONS PATH HOME LANG LOG_LEVELS DATABASE_HOST DB_URL SMTP_URI JWT_SECRETS SECRET_KEYS npm_config_registry npm_package_name MYSQL_PWD KUBERNETES_PORT GATEWAY_SERVICE_HOST GATEWAY_SERVICE_PORT GATEWAY_PORT_8080_TCP_PORT GATEWAY_INTERFACE HTTP_PROXY UV_THREADPOOL_SIZE'
  t.same(findMisspellings(Object.fromEntries(foreign.split(' ').map((name) => [name, '1']))), [])
  const links = {
    SLUICE_SERVICE_HOST: '10.0.0.1',
    SLUICE_SERVICE_PORT_RPC: '8080',
    SLUICE_PORT: 'tcp://10.0.0.1:8080',
    SLUICE_PORT_8080_TCP_ADDR: '10.0.0.1',
    GATEWAYS_PORT: 'tcp://10.0.0.2:8080'
  }
  t.same(findMisspellings(links), [], 'nor what Kubernetes says of services')
  t.same(meant('DATABASE_URI', { DATABASE_URL: 'x' }), [], 'nor beside the one that is set')
  t.same(findMisspellings({ GATEWAY_THREDS: '' }), [], 'empty is unset')
})

t.test('it is told together with all other problems', async (t) => {
  const schema = Type.Object({ GATEWAY_PORT: Type.Integer() })
  try {
    readEnvironment(schema, { GATEWAY_PORT: 'x', GATEWAY_THREDS: '3' })
    t.fail('not refused')
  } catch (error) {
    t.ok(error instanceof ConfigurationError)
    t.equal((error as ConfigurationError).problems.length, 2)
  }
})
