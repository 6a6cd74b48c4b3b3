// A database server as an operator may have set it up, or as a failover may leave it: with backslashes that escape
// nothing, and read-only. It is a server of its own, because both are settings of the whole server.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openDatabase } from '../../drizzle/client.ts'
import { migrate } from '../../drizzle/migrate.ts'
import { startFragileServer } from '../../scripts/test/support/fragile-server.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-server-modes-'))
const server = await startFragileServer(folder, () => ['--sql-mode=NO_BACKSLASH_ESCAPES'])
const root = openDatabase(server.url, { connectionsMax: 1, statementTimeoutMs: 60_000 })
await migrate(root)
// Read-only binds only who may not write all the same, as nobody but an administrator may.
const password = randomBytes(12).toString('hex')
await root.pool.query(`CREATE USER plane@'127.0.0.1' IDENTIFIED BY '${password}'`)
await root.pool.query(`GRANT ALL ON sluice.* TO plane@'127.0.0.1'`)
const url = new URL(server.url)
url.username = 'plane'
url.password = password
const plane = await startControlPlane({ databaseUrl: url.href })
t.teardown(async () => {
  await plane.stop()
  await root.close()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

t.test('quotes and backslashes are what they were, whatever the mode of the server', async (t) => {
  const [modes] = await root.pool.query('SELECT @@GLOBAL.sql_mode AS mode')
  t.same(modes, [{ mode: 'NO_BACKSLASH_ESCAPES' }], 'the server has it')
  const ann = await member(plane, 'ann')
  const endpoint = await endpointOf(plane, ann)
  const awkward = `O'Brien \\' " \\\\ ; -- /*`
  const lists = { allowed_ips: ['203.0.113.7'], allowed_origins: ['https://app.example.com'] }
  t.match(await ann.patch(endpoint.path, { name: awkward, ...lists }), { status: 200 })
  t.match(await ann.get(endpoint.path), { status: 200, body: { name: awkward, ...lists } })
  const login = { email: "o'brien@example.com", password: "' OR 1=1 -- " }
  t.match(await ann.post('/v1/auth/login', login), { status: 401 })
})

t.test('read-only: 503 with Retry-After for what writes, and new connections', async (t) => {
  const bob = await member(plane, 'bob')
  const idsOf = async () => {
    const [rows] = await root.pool.query(
      "SELECT id FROM information_schema.processlist WHERE user = 'plane'"
    )
    return (rows as { id: number }[]).map(({ id }) => id)
  }
  const create = () => bob.post('/v1/orgs', { name: 'Another' })
  await root.pool.query('SET GLOBAL read_only = 1')
  const before = await idsOf()
  const rename = () => bob.patch('/v1/me', { first_name: 'Bo' })
  for (let round = 0; round < 3; round++) {
    for (const write of [create, rename]) {
      const refused = await write()
      t.match(refused, { status: 503, body: { code: 'database_unavailable' } })
      t.equal(refused.headers.get('retry-after'), '1')
    }
  }
  t.equal((await bob.get('/v1/me')).status, 200, 'reading works')
  const kept = (await idsOf()).filter((id) => before.includes(id))
  t.ok(kept.length < before.length, 'the connections that met it are closed')
  await root.pool.query('SET GLOBAL read_only = 0')
  t.equal((await rename()).status, 200, 'writable again: nobody has to restart anything')
})
