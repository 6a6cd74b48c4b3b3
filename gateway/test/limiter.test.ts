// The whole limiter (charge, buckets, quotas and the words behind them) against a reference that counts in tokens: plans
// that change, days that pass, clocks that step, threads that hear late.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import t from 'tap'
import type { Clock } from '../clock.ts'
import type { CachedKey } from '../keys/cached-key.ts'
import { dayOf, readUsed } from '../limits/quota.ts'
import { Limiter, noLimit, noon, type Plan, TestClock } from './support/limiter.ts'

const dayMs = 86_400_000

/** A scope as it should be: what is owed in tokens, and what was used on the latest day. */
class Reference {
  owed = 0
  used = 0
  day = 0

  pass(ms: number, { rate }: Plan): void {
    this.owed = Math.max(0, this.owed - (ms / 1000) * (rate ?? 0))
  }

  change(before: Plan, after: Plan): void {
    const hasRates = before.rate !== null && after.rate !== null
    this.owed = hasRates ? Math.min(this.owed, after.burst) : 0
  }

  /** @returns the room that is left: negative where the cost does not fit. */
  roomFor(cost: number, { rate, burst, quota }: Plan, day: number): number {
    const used = day > this.day ? 0 : this.used
    const ofRate = rate === null ? 1 : burst - this.owed - cost
    return Math.min(ofRate, quota === null ? 1 : quota - used - cost)
  }

  /** The quota was looked at on that day: a clock that steps back now stays in it. */
  see(day: number, { quota }: Plan): void {
    if (quota === null || day <= this.day) return
    this.day = day
    this.used = 0
  }

  take(cost: number, { rate, quota }: Plan): void {
    if (rate !== null) this.owed += cost
    if (quota !== null) this.used += cost
  }
}

// Rates whose tokens take whole nanoseconds, so that the reference needs no rounding.
const plan = fc.record<Plan>({
  rate: fc.constantFrom(null, 1, 2, 5, 10, 100, 1000),
  burst: fc.integer({ min: 1, max: 50 }),
  quota: fc.option(fc.integer({ min: 1, max: 300 }))
})
type Step =
  | { readonly cost: number }
  | { readonly ms: number }
  | { readonly scope: ScopeId; readonly plan: Plan }
  | { readonly wallHours: number }
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ cost: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 2, arbitrary: fc.record({ scope: fc.constantFrom<ScopeId>('ep_1', 'org_1'), plan }) },
  { weight: 1, arbitrary: fc.record({ wallHours: fc.constantFrom(-13, -1, 1, 13, 24) }) }
)
const steps = fc.array(step, { minLength: 20, maxLength: 150, size: 'max' })
/** Of a token: what rounding to nanoseconds may differ in. */
const tolerance = 1e-3

type ScopeId = 'ep_1' | 'org_1'
const both: readonly ScopeId[] = ['ep_1', 'org_1']

/** A limiter and what it should do, step by step. */
class Comparison {
  readonly #clock = new TestClock()
  readonly #limiter = new Limiter(this.#clock)
  readonly #references = { ep_1: new Reference(), org_1: new Reference() }
  readonly #plans: Record<ScopeId, Plan>
  #latestDay = 0
  charges = 0

  constructor(endpoint: Plan, org: Plan) {
    this.#plans = { ep_1: endpoint, org_1: org }
  }

  /** Whether the limiter did what it should; null when rounding alone decides. */
  do(one: Step): boolean | null {
    if ('cost' in one) return this.#charge(one.cost)
    if ('ms' in one) {
      this.#clock.pass(one.ms)
      for (const id of both) this.#references[id].pass(one.ms, this.#plans[id])
    } else if ('plan' in one) this.#change(one.scope, one.plan)
    else this.#clock.wall += one.wallHours * 3_600_000
    // A step back of more than a day is a clock that was wrong: its day starts anew, and the database corrects it.
    if (dayOf(this.#clock.wall) < this.#latestDay - 1) {
      this.#clock.wall = (this.#latestDay - 1) * dayMs
    }
    return true
  }

  #key(): CachedKey {
    return this.#limiter.keyOf(this.#plans, dayOf(this.#clock.wall))
  }

  #change(scopeId: ScopeId, after: Plan): void {
    // Somebody has asked by the old plan.
    this.#key()
    this.#references[scopeId].change(this.#plans[scopeId], after)
    this.#plans[scopeId] = after
    this.#limiter.change(scopeId)
  }

  #charge(cost: number): boolean | null {
    const day = dayOf(this.#clock.wall)
    this.#latestDay = Math.max(this.#latestDay, day)
    const room = both.map((id) => this.#references[id].roomFor(cost, this.#plans[id], day))
    const least = Math.min(...room)
    const result = this.#limiter.charge(this.#key(), cost)
    this.charges++
    if (Math.abs(least) < tolerance && least !== 0) return null
    const isAdmitted = result === 'admitted'
    // One after the other, until one refuses.
    for (const [index, id] of both.entries()) {
      if ((room[index] ?? 0) < 0) break
      this.#references[id].see(day, this.#plans[id])
    }
    if (isAdmitted) for (const id of both) this.#references[id].take(cost, this.#plans[id])
    const isNever = both.some((id) => canNeverPass(cost, this.#plans[id]))
    return isAdmitted === least >= 0 && isNever === (result === 'cost_too_high')
  }
}

const canNeverPass = (cost: number, { rate, burst, quota }: Plan): boolean =>
  (rate !== null && cost > burst) || (quota !== null && cost > quota)

t.test('never more than the plans of now promise, never refused while they have room', (t) => {
  let charges = 0
  const property = fc.property(plan, plan, steps, (endpoint, org, all) => {
    const comparison = new Comparison(endpoint, org)
    for (const one of all) {
      const isRight = comparison.do(one)
      if (isRight === false) return false
      if (isRight === null) break
    }
    charges += comparison.charges
    return true
  })
  fc.assert(property, { numRuns: 400 })
  t.ok(charges > 10_000, `${charges} charges`)
  t.end()
})

t.test(
  'threads that hear of a plan late: each plan keeps its promise, and what was taken stays owed',
  (t) => {
    const late = fc.array(
      fc.record({
        burst: fc.integer({ min: 1, max: 60 }),
        rate: fc.constantFrom(1, 2, 5, 10),
        early: fc.integer({ min: 0, max: 80 }),
        byOld: fc.integer({ min: 0, max: 80 })
      }),
      { minLength: 1, maxLength: 12 }
    )
    const property = fc.property(late, (changes) => {
      const clock = new TestClock()
      const limiter = new Limiter(clock)
      const key = (rate: number, burst: number) =>
        limiter.keyOf({ ep_1: { rate, burst, quota: null }, org_1: noLimit }, 1)
      const spend = (of: CachedKey, times: number) => {
        let admitted = 0
        for (let n = 0; n < times; n++) if (limiter.charge(of, 1) === 'admitted') admitted++
        return admitted
      }
      let owed = 0
      let old = key(1, 60)
      let oldBurst = 60
      for (const { rate, burst, early, byOld } of changes) {
        const next = key(rate, burst)
        const owedByOld = owed
        owed = Math.min(owed, burst)
        const isSame = next.allowances[0]?.bucket === old.allowances[0]?.bucket
        const takenEarly = spend(next, early)
        if (takenEarly !== Math.min(early, burst - owed)) return false
        const takenByOld = isSame ? 0 : spend(old, byOld)
        if (!isSame && takenByOld !== Math.max(0, Math.min(byOld, oldBurst - owedByOld)))
          return false
        limiter.read()
        owed = Math.min(burst, owed + takenEarly + takenByOld)
        if (spend(next, 100) !== burst - owed) return false
        owed = burst
        const passedMs = 1000 * Math.floor(burst / rate / 2)
        clock.pass(passedMs)
        owed -= (passedMs / 1000) * rate
        old = next
        oldBurst = burst
      }
      return true
    })
    fc.assert(property, { numRuns: 300 })
    t.end()
  }
)

t.test(
  'threads that charge while plans change: a quota is exact, a bucket never gives more than its plans',
  async (t) => {
    const clock: Clock = {
      nowMs: () => performance.now(),
      nowNs: () => process.hrtime.bigint(),
      wallMs: () => noon
    }
    const limiter = new Limiter(clock)
    const bursts = [5000, 3000, 20_000, 1000, 8000]
    const plansOf = (burst: number, quota: number) => ({
      ep_1: { rate: 1, burst, quota: null },
      org_1: { rate: null, burst: 1, quota }
    })
    const limitsOf = (round: number) =>
      limiter.keyOf(plansOf(bursts[round] ?? 1, 4000 * (round + 1)), dayOf(noon)).allowances
    const workers = [0, 1, 2, 3].map(
      () =>
        new Worker(new URL('./support/charge-thread.ts', import.meta.url), {
          workerData: { memory: limiter.words.buffer, day: dayOf(noon) }
        })
    )
    t.teardown(() => Promise.all(workers.map((worker) => worker.terminate())))
    const answers = async (message: unknown) => {
      const heard = workers.map(async (worker) => {
        const [answer] = await once(worker, 'message')
        return answer as { admitted: number; inBurst: number }
      })
      for (const worker of workers) worker.postMessage(message)
      return await Promise.all(heard)
    }
    const startMs = performance.now()
    for (let round = 0; round < bursts.length; round++) {
      await answers({ allowances: limitsOf(round) })
      limiter.read()
    }
    const counts = await answers('stop')
    const sum = (of: 'admitted' | 'inBurst') => counts.reduce((total, one) => total + one[of], 0)
    const seconds = (performance.now() - startMs) / 1000
    const promised = bursts.reduce((total, burst) => total + burst) + Math.ceil(seconds)
    t.ok(sum('inBurst') <= promised, `${sum('inBurst')} of ${promised}`)
    const { used } = readUsed(limiter.words, limitsOf(bursts.length - 1)[1]?.quotaWord ?? 0)
    t.equal(sum('admitted'), used, 'what was admitted is what was used')
    t.ok(used <= 4000 * bursts.length, `${used} of the last quota`)
    t.ok(counts.filter(({ admitted }) => admitted > 0).length > 1, 'and they really did so at once')
  }
)
