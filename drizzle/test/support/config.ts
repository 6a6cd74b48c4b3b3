// The one thing that tests take from the environment. `npm test` sets it.

/** A server on which the tests may create databases, e.g. `mysql://root:…@127.0.0.1:3307/`. */
export function testServerUrl(): URL {
  const text = process.env.TEST_DATABASE_URL
  if (text === undefined)
    throw new Error('TEST_DATABASE_URL is not set: run the tests with `npm test`')
  return new URL(text)
}
