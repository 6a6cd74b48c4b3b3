// A reader who is slower than the events: nothing queues up for them, nothing is lost, and one who is deaf is cut off.
import { once } from 'node:events'
import t from 'tap'
import { LiveStreams, tellNothing, tellUsage } from '../analytics/live-streams.ts'
import { noCounts } from '../analytics/usage-sums.ts'

const now = { at: new Date(), completeUntil: null }
const viewer = {
  orgId: 'org',
  userId: 'usr',
  sessionId: 'ses',
  isOperator: false,
  tokenExpiresAt: new Date()
}

function openOne() {
  const streams = new LiveStreams({
    metrics: { setLiveStreams: () => undefined },
    config: { liveStreamsMax: 1, liveStreamsPerUserMax: 1 }
  })
  const out = streams.add(viewer, 'ep', null).setEncoding('utf8')
  const [stream] = streams.all
  if (stream === undefined) throw new Error('it was not added')
  let ok = 0
  return {
    out,
    stream,
    streams,
    /** One more call, and the attempt to tell it. */
    callOnce() {
      ok += 1
      stream.watch.update([{ startsAt: new Date(0), counts: { ...noCounts, ok } }], [])
      tellUsage(stream, now)
      return ok
    }
  }
}

function addedIn(text: string): number {
  return [...text.matchAll(/"added":\{"calls":(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0
  )
}

t.test(
  'what is kept for a reader who is behind has a bound, and what was left out comes in one sum',
  async (t) => {
    const { out, stream, callOnce } = openOne()
    while (!stream.out.isFull) callOnce()
    const full = out.readableLength
    let calls = 0
    for (let more = 0; more < 20; more++) calls = callOnce()
    t.equal(out.readableLength, full, 'nothing queues up')
    t.ok(full < 20_000)

    const before = addedIn(String(out.read()))
    t.ok(before < calls)
    t.notOk(stream.out.isFull)
    calls = callOnce()
    t.equal(before + addedIn(String(out.read())), calls, 'each call was told once')
  }
)

t.test('a reader who stays behind for 30 events is cut off, and the room is free', async (t) => {
  const { out, stream, streams, callOnce } = openOne()
  while (!stream.out.isFull) callOnce()
  for (let missed = 1; missed < 30; missed++) tellNothing(stream)
  t.notOk(out.destroyed)
  const closed = once(out, 'close')
  tellNothing(stream)
  t.ok(out.destroyed)
  await closed
  t.equal(streams.size, 0)
})

t.test('a reader who catches up has all the time again', async (t) => {
  const { out, stream, callOnce } = openOne()
  for (let round = 0; round < 5; round++) {
    while (!stream.out.isFull) callOnce()
    for (let missed = 1; missed < 20; missed++) tellNothing(stream)
    out.read()
    tellNothing(stream)
  }
  t.notOk(out.destroyed)
})

t.test('a stream that ends while its reader is behind ends at once', async (t) => {
  const { out, stream, streams, callOnce } = openOne()
  while (!stream.out.isFull) callOnce()
  streams.end(stream, 'stopping')
  t.ok(out.destroyed)
  t.equal(streams.size, 0)
})
