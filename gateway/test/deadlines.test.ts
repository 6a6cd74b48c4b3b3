// The list of exchanges under way, in the order of their deadlines.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { DeadlineList, Deadlines } from '../deadlines.ts'
import { Exchange } from '../exchange.ts'

const timeoutMs = 100

/** None of its fields is looked at here. */
const newExchange = () => new Exchange(null as never, 0)

/** What expires at `nowMs`, in the order in which it does. */
function expiredAt(deadlines: DeadlineList, nowMs: number): Exchange[] {
  const expired: Exchange[] = []
  deadlines.sweep(nowMs, (exchange) => {
    expired.push(exchange)
    deadlines.remove(exchange)
  })
  return expired
}

function isList(t: Test, deadlines: DeadlineList, expected: readonly Exchange[]): void {
  const all = deadlines.all()
  t.equal(all.length, expected.length)
  t.ok(all.every((exchange, place) => exchange === expected[place]))
  t.equal(deadlines.size, expected.length)
}

t.test('an exchange expires when its time is over, not a moment before', async (t) => {
  const deadlines = new DeadlineList(timeoutMs)
  const exchange = newExchange()
  deadlines.add(exchange, 1000)
  t.same(expiredAt(deadlines, 1099.9).length, 0)
  t.ok(expiredAt(deadlines, 1100)[0] === exchange)
  t.equal(deadlines.size, 0)
  t.same(expiredAt(deadlines, 9999).length, 0, 'and only once')
})

t.test('the oldest expire first, and those that are not late stay', async (t) => {
  const deadlines = new DeadlineList(timeoutMs)
  const exchanges = [0, 10, 20, 30].map((nowMs) => {
    const exchange = newExchange()
    deadlines.add(exchange, nowMs)
    return exchange
  })
  isList(t, deadlines, exchanges)
  t.ok(expiredAt(deadlines, 115).every((exchange, place) => exchange === exchanges[place]))
  isList(t, deadlines, exchanges.slice(2))
})

t.test('progress starts the time anew', async (t) => {
  const deadlines = new DeadlineList(timeoutMs)
  const [first, second] = [newExchange(), newExchange()]
  deadlines.add(first, 0)
  deadlines.add(second, 0)
  deadlines.renew(first, 50)
  t.equal(expiredAt(deadlines, 100).length, 1)
  isList(t, deadlines, [first])
  t.equal(expiredAt(deadlines, 149).length, 0)
  t.ok(expiredAt(deadlines, 150)[0] === first)
})

/** The same list, written so that it can be seen to be right. */
class Model {
  entries: { exchange: Exchange; dueMs: number }[] = []

  add(exchange: Exchange, nowMs: number): void {
    this.entries.push({ exchange, dueMs: nowMs + timeoutMs })
  }

  remove(exchange: Exchange): void {
    this.entries = this.entries.filter((entry) => entry.exchange !== exchange)
  }

  expire(nowMs: number): void {
    this.entries = this.entries.filter(({ dueMs }) => dueMs > nowMs)
  }

  /** Any of them, by a random number. */
  choose(random: number): Exchange | undefined {
    return this.entries[random % Math.max(1, this.entries.length)]?.exchange
  }
}

const steps: Record<
  string,
  (real: DeadlineList, model: Model, nowMs: number, random: number) => void
> = {
  add(real, model, nowMs) {
    const exchange = newExchange()
    real.add(exchange, nowMs)
    model.add(exchange, nowMs)
  },
  renew(real, model, nowMs, random) {
    const exchange = model.choose(random)
    if (exchange === undefined) return
    real.renew(exchange, nowMs)
    model.remove(exchange)
    model.add(exchange, nowMs)
  },
  remove(real, model, _nowMs, random) {
    const exchange = model.choose(random)
    if (exchange === undefined) return
    real.remove(exchange)
    model.remove(exchange)
  },
  sweep(real, model, nowMs) {
    expiredAt(real, nowMs)
    model.expire(nowMs)
  }
}

t.test('whatever is added, renewed and removed, exactly the late ones expire', async () => {
  const step = fc.record({
    name: fc.constantFrom(...Object.keys(steps)),
    random: fc.nat(20),
    afterMs: fc.nat(60)
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (sequence) => {
      const real = new DeadlineList(timeoutMs)
      const model = new Model()
      let nowMs = 0
      for (const { name, random, afterMs } of sequence) {
        nowMs += afterMs
        steps[name]?.(real, model, nowMs, random)
        const all = real.all()
        assert.equal(real.size, model.entries.length)
        assert.equal(all.length, model.entries.length)
        assert.ok(all.every((exchange, place) => exchange === model.entries[place]?.exchange))
      }
    })
  )
})

t.test('while its body comes an exchange has one time, and then another', async (t) => {
  const deadlines = new Deadlines({ bodyIdleMs: 50, progressMs: timeoutMs })
  const late = (nowMs: number) => {
    const expired: Exchange[] = []
    deadlines.sweep(nowMs, (exchange) => {
      expired.push(exchange)
      deadlines.remove(exchange)
    })
    return expired.length
  }
  const [stuck, whole] = [newExchange(), newExchange()]
  deadlines.add(stuck, 0)
  deadlines.add(whole, 0)
  deadlines.renew(stuck, 40)
  deadlines.endBody(whole, 45)
  t.equal(deadlines.size, 2)
  t.equal(late(89), 0)
  t.equal(late(90), 1)
  t.equal(late(144), 0)
  t.equal(late(145), 1)
  t.equal(deadlines.size, 0)
})
