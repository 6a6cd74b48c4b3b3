// TLS to the database, as ssl-mode and ssl-ca ask for it, against a real server with a certificate for localhost.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openDatabase } from '../../drizzle/client.ts'
import { startFragileServer } from './support/fragile-server.ts'

const pem = (name: string) => join(import.meta.dirname, '../../gateway/test/support', name)
const certificate = pem('loopback-certificate.pem')
const folder = mkdtempSync(join(tmpdir(), 'sluice-database-tls-'))
// The server may run as a user of its own, who can read its data folder and perhaps not this clone.
const server = await startFragileServer(folder, (databaseFolder) => {
  mkdirSync(databaseFolder, { recursive: true, mode: 0o700 })
  const at = (name: string) => join(databaseFolder, name)
  copyFileSync(certificate, at('certificate.pem'))
  copyFileSync(pem('loopback-key.pem'), at('key.pem'))
  return [`--ssl-cert=${at('certificate.pem')}`, `--ssl-key=${at('key.pem')}`]
})
t.teardown(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** The cipher of a connection, empty without TLS; or why there is no connection. */
async function cipherOf(query: string): Promise<string> {
  const url = new URL(server.url)
  url.hostname = 'localhost'
  url.search = query
  const database = openDatabase(url.href, { connectionsMax: 1 })
  try {
    const [rows] = await database.pool.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    return (rows as { Value: string }[])[0]?.Value ?? ''
  } catch (error) {
    return `refused: ${(error as NodeJS.ErrnoException).code}`
  } finally {
    await database.close()
  }
}

const ca = `ssl-ca=${encodeURIComponent(certificate)}`

t.test('no TLS is used unless it is asked for', async (t) => {
  t.equal(await cipherOf(''), '')
  t.equal(await cipherOf('?ssl-mode=DISABLED'), '')
})

t.test('REQUIRED encrypts, whoever the server is', async (t) => {
  t.match(await cipherOf('?ssl-mode=REQUIRED'), /^TLS_|-GCM-|CHACHA20/)
})

t.test('VERIFY_CA and VERIFY_IDENTITY take a certificate of the given authority', async (t) => {
  t.match(await cipherOf(`?ssl-mode=VERIFY_CA&${ca}`), /^TLS_|-GCM-|CHACHA20/)
  t.match(await cipherOf(`?ssl-mode=VERIFY_IDENTITY&${ca}`), /^TLS_|-GCM-|CHACHA20/)
})

t.test('a certificate of an unknown authority is refused', async (t) => {
  t.match(await cipherOf('?ssl-mode=VERIFY_CA'), /^refused/)
  t.match(await cipherOf('?ssl-mode=VERIFY_IDENTITY'), /^refused/)
})
