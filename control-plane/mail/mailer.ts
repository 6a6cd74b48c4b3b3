// One way out for mail: an SMTP server, or files that a person can open in SLUICE_DATA_DIR/outbox. Posting never waits:
// an answer must not be slower, or fail, because an address has an account or a mail server is slow. What could not be
// delivered is logged without its text (it holds a token); its reader asks for another.
import { randomBytes } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { Letter } from './letters.ts'

/** Letters under way at once; a mail server that hangs must not fill the memory. */
const underWayMax = 100

export interface Mailer {
  /** `write` makes the letter, or finds that there is none to send, while the request is already answered. */
  post(write: () => Promise<Letter | null> | Letter): void
  /** Resolves when everything that was posted before is delivered or given up. */
  drain(): Promise<void>
}

export interface MailerDeps {
  config: { smtpUrl: string | null; mailFrom: string; outboxDir: string }
  log: Logger
  clock: Clock
}

export function createMailer({ config, log, clock }: MailerDeps): Mailer {
  const deliver =
    config.smtpUrl === null
      ? toOutbox(config.outboxDir, config.mailFrom, clock)
      : toServer(config.smtpUrl, config.mailFrom)
  const underWay = new Set<Promise<void>>()

  async function writeAndDeliver(write: () => Promise<Letter | null> | Letter): Promise<void> {
    const letter = await write()
    if (letter !== null) await deliver(letter)
  }

  return {
    post(write) {
      if (underWay.size >= underWayMax) {
        log.error('mail given up: too many are under way')
        return
      }
      const delivery = writeAndDeliver(write)
        .catch((error: unknown) => log.error({ err: error }, 'mail could not be delivered'))
        .finally(() => underWay.delete(delivery))
      underWay.add(delivery)
    },
    async drain() {
      await Promise.all(underWay)
    }
  }
}

function toServer(url: string, from: string): (letter: Letter) => Promise<void> {
  const transport = createTransport(
    { url, pool: true, maxConnections: 2, connectionTimeout: 10_000, socketTimeout: 20_000 },
    { from }
  )
  return async (letter) => {
    await transport.sendMail(letter)
  }
}

/** One `.eml` file for each letter, complete as soon as it is there under its name; the newest sorts last. */
function toOutbox(folder: string, from: string, clock: Clock): (letter: Letter) => Promise<void> {
  const transport = createTransport(
    { streamTransport: true, buffer: true, newline: 'unix' },
    { from }
  )
  return async ({ to, subject, text }) => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const now = clock()
    const name = `${now.toISOString().replaceAll(':', '-')}-${randomBytes(4).toString('hex')}`
    const { message } = await transport.sendMail({ to, subject, text, date: now })
    // The head as it would be sent; the text as it is: quoted-printable would break the link over two lines, and people
    // copy it from the file.
    const [sent = ''] = String(message).split('\n\n', 1)
    const head = sent.replace(/^(Content-Transfer-Encoding): .*$/m, '$1: 8bit')
    const partial = join(folder, `${name}.partial`)
    await writeFile(partial, `${head}\n\n${text}`, { mode: 0o600 })
    await rename(partial, join(folder, `${name}.eml`))
  }
}
