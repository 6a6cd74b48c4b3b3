// Passwords: hashed as OWASP asks, two at a time, in the order they came, and refused beyond a short queue.
import { parseOptions } from '@node-rs/argon2'
import t from 'tap'
import { createPasswordHasher } from '../auth/password-hasher.ts'
import { Failure } from '../errors.ts'
import { whyGuessable } from '../passwords/guessable.ts'

t.test('a hash is argon2id with 19 MiB, two passes and one lane', async (t) => {
  const passwords = createPasswordHasher({ queueMax: 0 })
  const hash = await passwords.hash('correct horse battery')
  t.match(hash, /^\$argon2id\$v=19\$/)
  t.match(parseOptions(hash), { memoryCost: 19_456, timeCost: 2, parallelism: 1 })
  t.equal(await passwords.verify(hash, 'correct horse battery'), true)
  t.equal(await passwords.verify(hash, 'correct horse batterz'), false)
})

t.test('the same letters are the same password, however they were typed', async (t) => {
  const passwords = createPasswordHasher({ queueMax: 0 })
  const hash = await passwords.hash('Schl\u00fcssel zum Haus')
  t.equal(await passwords.verify(hash, 'Schlu\u0308ssel zum Haus'), true)
})

t.test('for a user that does not exist the same work is done, and the answer is no', async (t) => {
  const passwords = createPasswordHasher({ queueMax: 0 })
  const hash = await passwords.hash('x')
  const timeOf = async (passwordHash: string | null) => {
    const start = process.cpuUsage()
    for (let count = 0; count < 5; count++) {
      t.equal(await passwords.verify(passwordHash, 'y'), false)
    }
    return process.cpuUsage(start).user
  }
  await passwords.verify(null, 'y')
  const [known, unknown] = [await timeOf(hash), await timeOf(null)]
  t.ok(unknown > known / 3, `${unknown} µs of CPU against ${known} µs`)
})

t.test('two run, so many wait, one more is refused; then there is room again', async (t) => {
  const passwords = createPasswordHasher({ queueMax: 3 })
  const finished: number[] = []
  const asked = Array.from({ length: 7 }, (_, index) =>
    passwords.hash(`password ${index}`).then(
      () => finished.push(index),
      (error: unknown) => error
    )
  )
  const outcomes = await Promise.all(asked)
  const refused = outcomes.filter((outcome) => outcome instanceof Failure)
  t.equal(refused.length, 2)
  t.match(refused, [{ code: 'passwords_busy' }, { code: 'passwords_busy' }])
  t.same([...finished].sort(), [0, 1, 2, 3, 4])
  t.ok(finished.indexOf(4) > finished.indexOf(0), 'the last in the queue does not overtake')
  t.match(await passwords.hash('again'), /^\$argon2id/)
})

t.test('half characters are no password, although their bytes are those of another', async (t) => {
  const passwords = createPasswordHasher({ queueMax: 0 })
  const hash = await passwords.hash('\ufffd'.repeat(12))
  t.equal(await passwords.verify(hash, '\ud800'.repeat(12)), false)
  t.equal(await passwords.verify(hash, '\udbff'.repeat(12)), false)
})

t.test(
  'what is guessed first is refused: common, a pattern, or known about its owner',
  async (t) => {
    const words = ['ann.miller@mail.example', 'Ann', 'Miller', 'Acme Bridges']
    const refused = [
      'password1234',
      'PASSWORD1234',
      'passwordpassword',
      '1234iloveyou',
      '123456789012',
      '210987654321',
      'qwertyuiopas',
      'aaaaaaaaaaaa',
      'abababababab',
      ' '.repeat(12),
      'sluicesluice',
      'Sluice-2026!',
      'ann.miller@mail.example',
      'annmiller2026',
      'acmebridges1'
    ]
    for (const password of refused) t.type(whyGuessable(password, words), 'string', password)
    const taken = [
      'correct horse battery',
      'a wholly new password',
      '4f3a2b-9c8d7e-112233',
      'schlüssel zum haus'
    ]
    for (const password of taken) t.equal(whyGuessable(password, words), null, password)
  }
)
