import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'

t.test('the installed undici is the one that the sockets to upstreams were written for', (t) => {
  const source = readFileSync(join(import.meta.dirname, '../upstreams/lean-socket.ts'), 'utf8')
  const [, writtenFor] = /Written for undici\n?(?:\/\/)?\s*(\d+\.\d+\.\d+)/.exec(source) ?? []
  const { version } = createRequire(import.meta.url)('undici/package.json')
  t.equal(
    version,
    writtenFor,
    'read lib/core/connect.js and lib/dispatcher/client-h1.js beside upstreams/lean-socket.ts, ' +
      'mend what no longer fits, run the fuzzer for ten minutes, then name the new version in the header'
  )
  t.end()
})
