// Configuration is read completely or not at all, and everything that is wrong is told at once.
import { join } from 'node:path'
import t from 'tap'
import Type from 'typebox'
import { ConfigurationError, readEnvironment } from '../environment.ts'

const schema = Type.Object({
  URL: Type.String({ pattern: '^mysql://', description: 'the database' }),
  SECRET: Type.String({ minLength: 8, description: 'the secret' }),
  PORT: Type.Integer({ default: 8080, minimum: 1, maximum: 65_535, description: 'the port' }),
  RATIO: Type.Number({ default: 0.5, minimum: 0, maximum: 1, description: 'the ratio' }),
  OPEN: Type.Boolean({ default: true, description: 'whether it is open' }),
  PROXIES: Type.Array(Type.String({ pattern: '^[0-9.]+$' }), {
    default: [],
    description: 'proxies'
  }),
  STATUS: Type.Union([Type.Literal(429), Type.Literal(402)], {
    default: 429,
    description: 'the status'
  })
})
const required = { URL: 'mysql://here', SECRET: 'long enough' }

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readEnvironment(schema, env)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
}

t.test('what is not set has its default; an empty value is not set', async (t) => {
  const values = readEnvironment(schema, { ...required, PORT: '' })
  t.same(values, { ...required, PORT: 8080, RATIO: 0.5, OPEN: true, PROXIES: [], STATUS: 429 })
  t.ok(Object.isFrozen(values))
})

t.test('values are read as what the schema says they are', async (t) => {
  const env = {
    PORT: '1',
    RATIO: '0.25',
    OPEN: 'off',
    PROXIES: '10.0.0.1, 10.0.0.2',
    STATUS: '402'
  }
  t.match(readEnvironment(schema, { ...required, ...env }), {
    PORT: 1,
    RATIO: 0.25,
    OPEN: false,
    PROXIES: ['10.0.0.1', '10.0.0.2'],
    STATUS: 402
  })
})

t.test(
  'every problem is told at once, by the name of its variable and what it takes',
  async (t) => {
    const problems = problemsOf({ URL: 'postgres://', PORT: '65536', OPEN: 'maybe', STATUS: '500' })
    t.equal(problems.length, 5)
    t.match(problems.join('\n'), /^URL is not valid\. It is the database$/m)
    t.match(problems.join('\n'), /^SECRET is not set\. It is the secret$/m)
    t.match(problems.join('\n'), /^PORT is not valid\. It is the port; a number from 1 to 65535$/m)
    t.match(problems.join('\n'), /^OPEN is not valid\. .*true or false$/m)
    t.match(problems.join('\n'), /^STATUS is not valid\. .*one of 429, 402$/m)
  }
)

t.test('a number is written as one', async (t) => {
  for (const text of ['8080x', '0x50', '1e3', ' 80', '80.5', 'NaN', '-1', '']) {
    t.equal(
      problemsOf({ ...required, PORT: text }).length,
      text === '' ? 0 : 1,
      JSON.stringify(text)
    )
  }
})

t.test("a secret's value is never repeated", async (t) => {
  t.notMatch(problemsOf({ ...required, SECRET: 'hunter2' }).join('\n'), 'hunter2')
})

t.test('NAME_FILE holds the value of NAME, without the end of its last line', async (t) => {
  const folder = t.testdir({ secret: 'from a file\n', other: 'two\nlines\r\n' })
  const read = (name: string) =>
    readEnvironment(schema, { URL: required.URL, SECRET_FILE: join(folder, name) }).SECRET
  t.equal(read('secret'), 'from a file')
  t.equal(read('other'), 'two\nlines')
})

t.test('NAME together with NAME_FILE, and a file that cannot be read, are problems', async (t) => {
  t.match(problemsOf({ ...required, SECRET_FILE: '/dev/null' })[0], /both set/)
  const nowhere = join(t.testdir(), 'nowhere')
  const problems = problemsOf({ URL: required.URL, SECRET_FILE: nowhere }).join('\n')
  t.match(problems, /SECRET_FILE cannot be read: ENOENT/)
})
