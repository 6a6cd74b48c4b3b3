// The settings of `npm start`: its own and those of both planes, which take theirs from the same environment. Everything
// that is wrong with any of them is told at once, before a database is started.
import { readConfig as readControlPlaneConfig } from '../../control-plane/config.ts'
import { ConfigurationError } from '../../drizzle/environment.ts'
import { readConfig as readGatewayConfig } from '../../gateway/config.ts'
import {
  childEnvironment,
  type Environment,
  type QuickStartConfig,
  readQuickStartConfig
} from '../config.ts'

/** What the quick start makes itself where it is not set; sound, and used for nothing. */
const made = {
  DATABASE_URL: 'mysql://sluice@127.0.0.1:3306/sluice',
  SECRET_KEY: Buffer.alloc(32).toString('base64'),
  JWT_SECRET: 'x'.repeat(32)
}

/** Throws ConfigurationError with every problem. */
export function readSettings(env?: Environment): QuickStartConfig {
  const problems = new Map<string, string>()
  const note = (read: () => unknown) => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      for (const problem of error.problems) {
        const name = problem.split(' ')[0] ?? ''
        if (!problems.has(name)) problems.set(name, problem)
      }
      return undefined
    }
  }
  const config = note(() => readQuickStartConfig(env)) as QuickStartConfig | undefined
  const whole = withMade(env)
  note(() => readGatewayConfig(whole))
  note(() => readControlPlaneConfig(whole))
  if (config === undefined || problems.size > 0)
    throw new ConfigurationError([...problems.values()])
  return config
}

function withMade(env: Environment = childEnvironment()): Environment {
  const missing = Object.entries(made).filter(([name]) => !env[name] && !env[`${name}_FILE`])
  return { ...env, ...Object.fromEntries(missing) }
}
