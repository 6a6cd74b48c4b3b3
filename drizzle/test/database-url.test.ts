// One definition of DATABASE_URL for every process, and nothing of the driver's own options in it.
import { join } from 'node:path'
import t from 'tap'
import { parseDatabaseUrl, problemOfDatabaseUrl } from '../database-url.ts'

const certificate = join(import.meta.dirname, '../../gateway/test/support/loopback-certificate.pem')

t.test('what an operator writes is what the driver gets', async (t) => {
  t.same(parseDatabaseUrl('mysql://ann%40x:p%2Fw%25@db.example.com:3307/sluice'), {
    host: 'db.example.com',
    port: 3307,
    user: 'ann@x',
    password: 'p/w%',
    database: 'sluice',
    tls: null
  })
  t.match(parseDatabaseUrl('mysql://u@[::1]/x'), { host: '::1', port: 3306, password: '' })
  t.match(parseDatabaseUrl('mysql://u@db/'), { database: '' }, 'a server as a whole')
})

t.test('ssl-mode and ssl-ca have the meaning that MySQL gives them', async (t) => {
  const tlsOf = (query: string) => parseDatabaseUrl(`mysql://u:p@db/x${query}`).tls
  t.equal(tlsOf('?ssl-mode=DISABLED'), null)
  t.same(tlsOf('?ssl-mode=REQUIRED'), { rejectUnauthorized: false, verifyIdentity: false })
  t.same(tlsOf('?ssl-mode=verify_ca'), { rejectUnauthorized: true, verifyIdentity: false })
  t.same(tlsOf('?ssl-mode=VERIFY_IDENTITY'), { rejectUnauthorized: true, verifyIdentity: true })
  const own = tlsOf(`?ssl-mode=VERIFY_CA&ssl-ca=${encodeURIComponent(certificate)}`)
  t.match(String(own?.ca), 'BEGIN CERTIFICATE')
})

t.test('a wrong URL is told with what is wrong, and never repeated', async (t) => {
  const cases: Record<string, RegExp> = {
    'postgres://u:secret@db/x': /mysql:\/\//,
    'no url, secret': /mysql:\/\//,
    'mysql://': /no host/,
    'mysql:///secret': /no host/,
    'mysql://u:secret@db': /names no database/,
    'mysql://u:secret@db/': /names no database/,
    'mysql://u:secret%zz@db/x': /two hexadecimal digits/,
    'mysql://u:secret@db/x?multipleStatements=true': /unknown parameter multipleStatements/,
    'mysql://u:secret@db/x?ssl={"rejectUnauthorized":false}': /unknown parameter ssl/,
    'mysql://u:secret@db/x?ssl-mode=secure': /one of DISABLED, REQUIRED/,
    'mysql://u:secret@10.0.0.1/x?ssl-mode=VERIFY_IDENTITY': /name of a host/,
    'mysql://u:secret@[::1]/x?ssl-mode=VERIFY_IDENTITY': /name of a host/,
    'mysql://u:secret@db/x?ssl-ca=/nowhere': /needs ssl-mode/,
    'mysql://u:secret@db/x?ssl-mode=REQUIRED&ssl-ca=/nowhere': /needs ssl-mode/,
    'mysql://u:secret@db/x?ssl-mode=VERIFY_CA&ssl-ca=/nowhere': /cannot be read \(ENOENT\)/
  }
  for (const [url, expected] of Object.entries(cases)) {
    const problem = problemOfDatabaseUrl(url) ?? ''
    t.match(problem, expected, url)
    t.notMatch(problem, 'secret')
  }
  t.equal(problemOfDatabaseUrl('mysql://u:p@db', false), null, 'where no name is needed')
  t.throws(() => parseDatabaseUrl('mysql://u:secret@db/?x=1'), { message: /unknown parameter x$/ })
})
