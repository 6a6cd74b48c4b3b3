// The queue of one upstream: what waits in it, who is next, and how much of it one org may have.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { FairQueue, Lane, maySpare, type QueuedCall } from '../upstreams/fair-queue.ts'

interface NamedCall extends QueuedCall {
  readonly name: string
}

const callOf = (lane: Lane, name: string): NamedCall => ({
  name,
  lane,
  isWaiting: false,
  older: null,
  newer: null
})
/** Enough connections for everybody. */
const plenty = 1000

function drain(queue: FairQueue<NamedCall>): string[] {
  const names: string[] = []
  for (let call = queue.take(plenty); call !== null; call = queue.take(plenty))
    names.push(call.name)
  return names
}

t.test('queue: orgs take turns, and each org is served in its own order', async (t) => {
  const queue = new FairQueue<NamedCall>(100)
  const [busy, quiet] = [new Lane(), new Lane()]
  for (const name of ['a1', 'a2', 'a3', 'a4']) queue.add(callOf(busy, name))
  for (const name of ['b1', 'b2']) queue.add(callOf(quiet, name))
  t.same(drain(queue), ['a1', 'b1', 'a2', 'b2', 'a3', 'a4'])
})

t.test('queue: a call that has left takes no place and is never next', async (t) => {
  const queue = new FairQueue<NamedCall>(4)
  const [lane, other] = [new Lane(), new Lane()]
  const calls = ['1', '2', '3'].map((name) => callOf(lane, name))
  for (const call of calls) queue.add(call)
  t.equal(queue.hasPlaceFor(lane), false)
  t.equal(queue.hasPlaceFor(other), true, 'the last place is for another org')
  for (const call of calls.slice(0, 2)) queue.remove(call)
  for (const call of calls.slice(0, 2)) queue.remove(call)
  t.equal(queue.size, 1)
  t.equal(queue.hasPlaceFor(lane), true)
  t.same(drain(queue), ['3'])
})

t.test(
  'queue: an org that has its share of connections waits, and holds up no other',
  async (t) => {
    const queue = new FairQueue<NamedCall>(100)
    const [busy, quiet] = [new Lane(), new Lane()]
    busy.carried = 3
    queue.add(callOf(busy, 'a'))
    t.equal(queue.take(1), null)
    queue.add(callOf(quiet, 'b'))
    t.equal(queue.take(1)?.name, 'b')
    t.equal(queue.take(2)?.name, 'a')
    t.equal(queue.take(0), null)
  }
)

t.test(
  'shares: a lone org gets three quarters, and however many are greedy, one more gets some',
  async (t) => {
    const total = 256
    for (const orgs of [1, 2, 5, 20]) {
      const held = Array.from({ length: orgs }, () => 0)
      const free = () => total - held.reduce((sum, one) => sum + one, 0)
      for (let moved = true; moved; ) {
        moved = false
        for (let org = 0; org < orgs; org++) {
          if (!maySpare(held[org] ?? 0, free())) continue
          held[org] = (held[org] ?? 0) + 1
          moved = true
        }
      }
      if (orgs === 1) t.equal(held[0], 192)
      t.ok(free() >= 4, `${orgs} greedy orgs leave ${free()}`)
      t.ok(maySpare(0, free()))
    }
  }
)

/** The same queue, written so that it can be seen to be right: a list of calls, and the order of turns. */
class Model {
  lanes: { lane: Lane; calls: NamedCall[] }[] = []

  add(call: NamedCall): void {
    const known = this.lanes.find(({ lane }) => lane === call.lane)
    if (known === undefined) this.lanes.push({ lane: call.lane, calls: [call] })
    else known.calls.push(call)
  }

  remove(call: NamedCall): void {
    for (const one of this.lanes) one.calls = one.calls.filter((other) => other !== call)
    this.lanes = this.lanes.filter(({ calls }) => calls.length > 0)
  }

  take(free: number): NamedCall | null {
    const place = this.lanes.findIndex(({ lane }) => lane.carried < 3 * free)
    if (place < 0) return null
    // Those that were passed over wait for the next round.
    this.lanes.push(...this.lanes.splice(0, place + 1))
    const call = this.lanes.at(-1)?.calls[0] ?? null
    if (call !== null) this.remove(call)
    return call
  }

  get all(): NamedCall[] {
    return this.lanes.flatMap(({ calls }) => calls)
  }
}

const steps: Record<
  string,
  (queue: FairQueue<NamedCall>, model: Model, lane: Lane, random: number) => void
> = {
  add(queue, model, lane, random) {
    if (!queue.hasPlaceFor(lane)) return
    const call = callOf(lane, String(random))
    queue.add(call)
    model.add(call)
  },
  remove(queue, model, _lane, random) {
    const call = model.all[random % Math.max(1, model.all.length)]
    if (call === undefined) return
    queue.remove(call)
    model.remove(call)
  },
  take(queue, model, lane, random) {
    lane.carried = random % 5
    assert.equal(queue.take(random % 3), model.take(random % 3))
  }
}

t.test('queue: whatever enters and leaves, the turns and the places are right', async () => {
  const step = fc.record({
    name: fc.constantFrom('add', 'add', 'remove', 'take'),
    random: fc.nat(1000)
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.nat(20), (sequence, callsMax) => {
      const queue = new FairQueue<NamedCall>(callsMax)
      const model = new Model()
      const lanes = Array.from({ length: 4 }, () => new Lane())
      for (const { name, random } of sequence) {
        steps[name]?.(queue, model, lanes[random % lanes.length] as Lane, random)
        assert.equal(queue.size, model.all.length)
        assert.ok(queue.size <= callsMax)
      }
    })
  )
})
