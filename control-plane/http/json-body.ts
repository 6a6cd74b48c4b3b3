// What a body must be before its schema judges it: JSON in UTF-8, or nothing at all. Many clients declare a type on every
// request, so an empty body is none, whatever its type says: a DELETE must not fail for it.
import { isUtf8 } from 'node:buffer'
import { Failure } from '../errors.ts'
import type { App } from './app-type.ts'

export function registerJsonBodies(app: App): void {
  app.removeContentTypeParser(['text/plain', 'application/json'])
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer
    if (bytes.length === 0) done(null, undefined)
    // Read as text, a broken sequence would become U+FFFD, which is not what was sent.
    else if (!isUtf8(bytes))
      done(new Failure('malformed_request', { detail: 'The body is not UTF-8.' }))
    else void parse(request, bytes.toString('utf8'), done)
  })
}
