// Mail goes to a real SMTP server, or into files that only their owner may read; and no answer ever waits for it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { verifyEmailLetter } from '../mail/letters.ts'
import { createMailer } from '../mail/mailer.ts'
import { createLogger } from '../telemetry/logger.ts'

const token = 'T'.repeat(43)
const letter = verifyEmailLetter('ann@example.com', 'https://portal.example.com', token)
const clock = () => new Date('2026-01-02T03:04:05Z')
const mailFrom = 'Sluice <no-reply@example.com>'

function collectLog() {
  const lines: string[] = []
  return { lines, log: createLogger('info', { write: (line) => lines.push(line) }) }
}

/** As much of an SMTP server as a client needs; keeps what it is sent. */
async function startSmtpServer() {
  const received: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.write('220 test\r\n')
    let data: string[] | null = null
    createInterface(socket).on('line', (line) => {
      if (data !== null && line !== '.') data.push(line)
      else if (data !== null) {
        received.push(data.join('\n'))
        data = null
        socket.write('250 kept\r\n')
      } else if (/^DATA/i.test(line)) {
        data = []
        socket.write('354 go on\r\n')
      } else socket.write(/^EHLO/i.test(line) ? '250-test\r\n250 8BITMIME\r\n' : '250 ok\r\n')
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    }
  }
}

t.test('without a server a mail becomes a file that its owner alone may read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mail-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const outboxDir = join(folder, 'outbox')
  const mailer = createMailer({
    config: { smtpUrl: null, mailFrom, outboxDir },
    log: createLogger('silent'),
    clock
  })
  mailer.post(() => letter)
  await mailer.drain()
  const [name = '', ...rest] = readdirSync(outboxDir)
  t.same(rest, [])
  t.match(name, /^2026-01-02T03-04-05\.000Z-[0-9a-f]{8}\.eml$/)
  t.equal(statSync(join(outboxDir, name)).mode & 0o777, 0o600)
  t.equal(statSync(outboxDir).mode & 0o777, 0o700)
  const text = readFileSync(join(outboxDir, name), 'utf8')
  t.match(text, `From: ${mailFrom}\nTo: ann@example.com\nSubject: Verify your email address\n`)
  t.match(text, `\nhttps://portal.example.com/verify-email#token=${token}\n`)
})

t.test(
  'a sender and a recipient of any script are written as mail programs read them',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'mail-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const outboxDir = join(folder, 'outbox')
    const mailer = createMailer({
      config: { smtpUrl: null, mailFrom: 'Schleuse für alle <no-reply@example.com>', outboxDir },
      log: createLogger('silent'),
      clock
    })
    mailer.post(() => ({ to: 'ann@example.com', subject: 'Grüße', text: 'Grüße von hier\n' }))
    await mailer.drain()
    const text = readFileSync(join(outboxDir, readdirSync(outboxDir)[0] ?? ''), 'utf8')
    const [head = '', body] = text.split('\n\n')
    t.match(head, /^From: =\?UTF-8\?Q\?Schleuse_f=C3=BCr_alle\?= <no-reply@example\.com>$/m)
    t.match(head, /^Subject: =\?UTF-8\?[QB]\?.+\?=$/m)
    t.match(head, /^Content-Transfer-Encoding: 8bit$/m)
    t.match(head, /^Content-Type: text\/plain; charset=utf-8$/m)
    t.match(head, /^Date: Fri, 02 Jan 2026 03:04:05 \+0000$/m)
    t.equal(body, 'Grüße von hier\n')
  }
)

t.test('with a server it is sent there', async (t) => {
  const server = await startSmtpServer()
  t.teardown(() => server.stop())
  const mailer = createMailer({
    config: { smtpUrl: server.url, mailFrom, outboxDir: '/nowhere' },
    log: createLogger('silent'),
    clock
  })
  mailer.post(() => letter)
  await mailer.drain()
  t.equal(server.received.length, 1)
  t.match(server.received[0], /^To: ann@example\.com$/m)
  t.match(server.received[0], /^Subject: Verify your email address$/m)
})

t.test('a server that is down is logged, without the letter', async (t) => {
  const { lines, log } = collectLog()
  const mailer = createMailer({
    config: { smtpUrl: 'smtp://127.0.0.1:1', mailFrom, outboxDir: '/nowhere' },
    log,
    clock
  })
  mailer.post(() => letter)
  await mailer.drain()
  t.match(lines, [/mail could not be delivered/])
  t.match(lines.join(''), 'ECONNREFUSED')
  t.notMatch(lines.join(''), token)
})

t.test('a flood of letters is cut off, and nothing to send is no letter', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mail-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { lines, log } = collectLog()
  const config = { smtpUrl: null, mailFrom, outboxDir: join(folder, 'outbox') }
  const mailer = createMailer({ config, log, clock })
  for (let count = 0; count < 99; count++) mailer.post(() => letter)
  mailer.post(async () => null)
  for (let count = 0; count < 20; count++) mailer.post(() => letter)
  await mailer.drain()
  t.equal(readdirSync(config.outboxDir).length, 99)
  t.equal(lines.length, 20)
  t.match(lines[0], 'too many are under way')
})
