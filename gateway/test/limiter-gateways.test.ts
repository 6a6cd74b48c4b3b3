// Several gateways that share a quota through the database, while days pass, clocks step, gateways restart and the quota
// changes: each admits what there is room for by what it knows, and what they know converges on what was admitted.
import fc from 'fast-check'
import t from 'tap'
import { createTestDatabase } from '../../drizzle/test/support/test-database.ts'
import { dayOf, readUsed } from '../limits/quota.ts'
import { QuotaLedger } from '../limits/quota-ledger.ts'
import { createLog } from '../telemetry/log.ts'
import { Limiter, noLimit, TestClock } from './support/limiter.ts'

const log = createLog('silent')
const anHour = 3_600_000
const db = await createTestDatabase()
t.teardown(() => db.drop())

type Act =
  | { readonly by: number; readonly count: number }
  | { readonly flush: number }
  | { readonly hours: number }
  | { readonly restart: number }
  | { readonly quota: number }

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ by: fc.nat(2), count: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 3, arbitrary: fc.record({ flush: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ hours: fc.constantFrom(-13, -1, 1, 12, 24) }) },
  { weight: 1, arbitrary: fc.record({ restart: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ quota: fc.integer({ min: 20, max: 200 }) }) }
)

/** A gateway without its sockets, whose ledger writes when it is told. */
class Gateway {
  readonly #clock: TestClock
  readonly #scopeId: string
  readonly ledger: QuotaLedger
  readonly #limiter: Limiter

  constructor(clock: TestClock, scopeId: string) {
    this.#clock = clock
    this.#scopeId = scopeId
    let words: BigInt64Array = new BigInt64Array()
    this.#limiter = new Limiter(clock, (memory) => {
      words = memory
      return {
        open: (word, _scope, day, used) => this.ledger.open(word, scopeId, day, used),
        raise: (word, day, cost) => this.ledger.raise(word, day, cost),
        isWritten: (word) => this.ledger.isWritten(word),
        close: (word) => this.ledger.close(word)
      }
    })
    this.ledger = new QuotaLedger({ database: db.database, clock, log, words })
  }

  /** Tries so many calls. @returns what was admitted, on which day, and whether it was all that there was room for. */
  async spend(count: number, quota: number) {
    const today = dayOf(this.#clock.wall)
    const used = await this.ledger.loadUsed([this.#scopeId], today)
    const plans = { ep_1: { ...noLimit, quota }, org_1: noLimit }
    const key = this.#limiter.keyOf(plans, today, used.get(this.#scopeId) ?? 0)
    const word = key.allowances[0]?.quotaWord ?? 0
    const before = readUsed(this.#limiter.words, word)
    let admitted = 0
    for (let n = 0; n < count; n++) if (this.#limiter.charge(key, 1) === 'admitted') admitted++
    const after = readUsed(this.#limiter.words, word)
    const isSameDay = before.day === today || before.day === today + 1
    const room = Math.max(0, quota - (isSameDay ? before.used : 0))
    return { admitted, day: after.day, isRight: admitted === Math.min(count, room) }
  }
}

/** Three gateways, and what they have admitted by day. */
class Installation {
  readonly #clock = new TestClock()
  readonly #scopeId: string
  readonly #gateways: Gateway[]
  readonly admitted = new Map<number, number>()
  #quota: number
  quotaMost: number

  constructor(scopeId: string, quota: number) {
    this.#scopeId = scopeId
    this.#quota = quota
    this.quotaMost = quota
    this.#gateways = [0, 1, 2].map(() => new Gateway(this.#clock, scopeId))
  }

  async do(one: Act): Promise<boolean> {
    if ('by' in one) return await this.#spend(one.by, one.count)
    if ('flush' in one) await this.#gateways[one.flush]?.ledger.flush()
    else if ('restart' in one) {
      await this.#gateways[one.restart]?.ledger.stop()
      this.#gateways[one.restart] = new Gateway(this.#clock, this.#scopeId)
    } else if ('quota' in one) {
      this.#quota = one.quota
      this.quotaMost = Math.max(this.quotaMost, one.quota)
    } else this.#step(one.hours)
    return true
  }

  async flushAll(): Promise<void> {
    for (const { ledger } of this.#gateways) await ledger.flush()
  }

  #step(hours: number): void {
    const stepped = this.#clock.wall + hours * anHour
    const latestDay = Math.max(0, ...this.admitted.keys())
    if (dayOf(stepped) >= latestDay - 1) this.#clock.wall = stepped
  }

  async #spend(by: number, count: number): Promise<boolean> {
    const result = await this.#gateways[by]?.spend(count, this.#quota)
    if (result === undefined) return false
    const { day, admitted, isRight } = result
    if (admitted > 0) this.admitted.set(day, (this.admitted.get(day) ?? 0) + admitted)
    return isRight
  }
}

async function writtenOn(scopeId: string, day: number): Promise<number> {
  const date = new Date(day * 24 * anHour).toISOString().slice(0, 10)
  const [rows] = await db.database.pool.query(
    'SELECT COALESCE(SUM(used), 0) AS used FROM quota_usage WHERE scope_id = ? AND day = ?',
    [scopeId, date]
  )
  return Number((rows as { used: string }[])[0]?.used)
}

t.test(
  'several gateways admit what they know of, and what they admit is never forgotten',
  async (t) => {
    let runs = 0
    const acts = fc.array(act, { minLength: 10, maxLength: 40 })
    const quota = fc.integer({ min: 20, max: 200 })
    const property = fc.asyncProperty(quota, acts, async (first, all) => {
      runs++
      const scopeId = `ep_${runs}`
      const installation = new Installation(scopeId, first)
      for (const one of all) if (!(await installation.do(one))) return false
      // Each has then written, and each knows of all.
      await installation.flushAll()
      await installation.flushAll()
      const { admitted, quotaMost } = installation
      const latest = Math.max(0, ...admitted.keys())
      const count = admitted.get(latest) ?? 0
      // Three gateways that know nothing of each other would admit as much, and no more.
      return (
        count <= 3 * quotaMost && (latest === 0 || (await writtenOn(scopeId, latest)) === count)
      )
    })
    await fc.assert(property, { numRuns: 30 })
    t.ok(runs >= 30)
  }
)

t.test('gateways that write after each call share a quota to the last call', async (t) => {
  const scopeId = 'ep_shared'
  const clock = new TestClock()
  const gateways = [0, 1, 2].map(() => new Gateway(clock, scopeId))
  let admitted = 0
  for (let n = 0; n < 60; n++) {
    const gateway = gateways[n % 3]
    admitted += (await gateway?.spend(1, 30))?.admitted ?? 0
    for (const { ledger } of gateways) await ledger.flush()
    // A gateway learns of the others when it next writes something of its own.
  }
  t.ok(admitted >= 30 && admitted <= 32, `${admitted} of a quota of 30 over 3 gateways`)
  t.equal(await writtenOn(scopeId, dayOf(clock.wall)), admitted)
})
