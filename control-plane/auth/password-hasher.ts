// Passwords: argon2id with 19 MiB, two passes, one lane (OWASP's first choice). A check is some 100 ms of a core and runs
// on the libuv pool that DNS uses too, so two run at a time, a few wait, and one more is refused: a flood of logins can
// slow logins down, but nothing else.
import { hash, verify } from '@node-rs/argon2'
import { Failure } from '../errors.ts'

const running = 2
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

export interface PasswordHasher {
  hash(password: string): Promise<string>
  /** Does the same work when there is no such user (null), and then answers false. */
  verify(passwordHash: string | null, password: string): Promise<boolean>
}

/** Both calls throw the failure `passwords_busy` when too many wait. */
export function createPasswordHasher({ queueMax }: { queueMax: number }): PasswordHasher {
  const waiting: (() => void)[] = []
  let active = 0

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (active >= running) {
      if (waiting.length >= queueMax) throw new Failure('passwords_busy', { retryAfterSeconds: 2 })
      // The turn is handed over, not given back, so that a newcomer cannot overtake who waits.
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else active++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) active--
      else next()
    }
  }

  // The hash of a password that nobody has, made once, for users that do not exist.
  let nobody: Promise<string> | undefined
  const hashOfNobody = () => {
    nobody ??= hash(crypto.randomUUID(), cost)
    return nobody
  }

  return {
    hash: (password) => inTurn(() => hash(normalise(password), cost)),
    verify: (passwordHash, password) =>
      inTurn(async () => {
        const matches = await verify(passwordHash ?? (await hashOfNobody()), normalise(password))
        // Half characters are hashed as U+FFFD, all of them alike: no such password was ever set here.
        return matches && passwordHash !== null && password.isWellFormed()
      })
  }
}

/** The same letters typed on another keyboard or system are the same password (NIST SP 800-63B, 3.1.1.2). */
function normalise(password: string): string {
  return password.normalize('NFKC')
}
