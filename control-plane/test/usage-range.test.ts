// Which times can be asked for: whole steps, no more than a chart can show, nothing that is not kept any more, and the days
// of any time zone as long as they really are. What is refused is told with the step that fits.
import t from 'tap'
import { zoneDayBounds } from '../analytics/zone-days.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'
import { recordCalls } from './support/usage.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
// Clocks went forward in Berlin on 2050-03-27, at 01:00 UTC.
plane.advance(Date.parse('2050-04-05T12:30:05Z') - plane.clock().getTime())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)
const path = `${endpoint.path}/usage`
const ask = async (query: string) => await ann.get(`${path}?${query}`)

interface Problem {
  pointer: string
  detail: string
}
async function refusalOf(query: string): Promise<Problem> {
  const { status, body } = await ask(query)
  t.equal(status, 400, query)
  t.equal(body.code, 'validation_failed')
  return body.errors[0]
}

t.test('the finest step that fits is taken when none is asked for', async (t) => {
  const steps: [string, string][] = [
    ['', '1m'],
    ['from=2050-04-04T11:45:00Z', '1m'],
    ['from=2050-04-04T11:00:00Z', '1h'],
    ['from=2050-02-04T00:00:00Z', '1h'],
    ['from=2050-02-01T00:00:00Z', '1d'],
    ['from=2049-02-01T00:00:00Z', '1d'],
    ['from=2049-02-01T00:00:00Z&to=2049-02-01T06:00:00Z', '1d'],
    ['from=2050-03-01T00:00:00Z&to=2050-03-01T06:00:00Z', '1h'],
    ['group_by=method', '1h'],
    ['group_by=method&from=2050-04-05T06:00:00Z', '1m'],
    ['group_by=method&from=2050-03-01T00:00:00Z', '1d'],
    ['group_by=method&step=1m', '1m']
  ]
  for (const [query, step] of steps) {
    const { body } = await ask(query)
    t.equal(body.step, step, query)
  }
})

t.test('from and to are widened to whole steps, and the future is left out', async (t) => {
  const { body } = await ask('from=2050-04-04T01:30:00%2B02:00&to=2051-01-01T00:00:00Z&step=1h')
  t.match(body, { from: '2050-04-03T23:00:00.000Z', to: '2050-04-05T13:00:00.000Z' })
  t.equal(body.data.length, 38)
})

t.test('too many points are refused, with the step that fits', async (t) => {
  t.match(await refusalOf('step=1m&from=2050-04-04T11:00:00Z'), {
    pointer: '#/step',
    detail: '1531 points of 1m are more than 1500; step 1h fits'
  })
  t.match(await refusalOf('step=1h&from=2050-01-10T00:00:00Z'), {
    pointer: '#/step',
    detail: /^\d+ points of 1h are more than 1500; step 1d fits$/
  })
})

t.test('what is not kept any more is refused, with the step that has it', async (t) => {
  t.match(await refusalOf('step=1m&from=2050-04-03T12:00:00Z&to=2050-04-03T13:00:00Z'), {
    pointer: '#/step',
    detail: 'points of 1m are kept for 48 hours, and `from` is before that; step 1h fits'
  })
  t.match(await refusalOf('step=1h&from=2050-01-01T00:00:00Z&to=2050-01-02T00:00:00Z'), {
    detail: 'points of 1h are kept for 90 days, and `from` is before that; step 1d fits'
  })
  t.match(await refusalOf('step=1d&from=2048-01-01T00:00:00Z'), {
    detail:
      'points of 1d are kept for 730 days, and `from` is before that; no step fits: ask for less'
  })
  t.match(await refusalOf('from=2048-01-01T00:00:00Z'), { pointer: '#/from', detail: /730 days/ })
})

t.test('times that make no sense are told as that', async (t) => {
  const wrong: [string, string, RegExp][] = [
    ['from=2050-04-05T13:00:00Z', '#/from', /must be past/],
    ['from=2050-04-05T12:00:00Z&to=2050-04-05T11:00:00Z', '#/from', /must be before `to`/],
    ['from=yesterday', '#/from', /date-time/],
    ['from=2050-04-05', '#/from', /date-time/],
    ['step=1w', '#/step', /./],
    ['time_zone=Mars/Olympus', '#/time_zone', /IANA/],
    ['time_zone=Europe/Berlin&step=1h', '#/time_zone', /goes with step 1d only/],
    ['time_zone=Europe/Berlin&from=2050-01-01T00:00:00Z', '#/time_zone', /kept for 90 days/]
  ]
  for (const [query, pointer, detail] of wrong) {
    t.match(await refusalOf(query), { pointer, detail }, query)
  }
})

t.test('days of a time zone have the calls of their hours, also when clocks change', async (t) => {
  const hours = Array.from(
    { length: 72 },
    (_, hour) => Date.parse('2050-03-26T00:00Z') + hour * 3_600_000
  )
  await recordCalls(
    plane.database,
    hours.map((at) => ({
      orgId: ann.orgId,
      endpointId: endpoint.id,
      chainId: 'chn_one',
      keyId: endpoint.keys[0].id,
      at: new Date(at),
      ok: 1
    }))
  )
  const daysOf = async (zone: string) => {
    const { body } = await ask(
      `from=2050-03-26T12:00:00Z&to=2050-03-28T12:00:00Z&time_zone=${zone}`
    )
    t.equal(body.step, '1d')
    return body.data.map((point: { t: string; calls: number }) => [
      point.t.slice(5, 16),
      point.calls
    ])
  }
  t.same(await daysOf('Europe/Berlin'), [
    ['03-25T23:00', 23],
    ['03-26T23:00', 23],
    ['03-27T22:00', 24]
  ])
  t.same(await daysOf('UTC'), [
    ['03-26T00:00', 24],
    ['03-27T00:00', 24],
    ['03-28T00:00', 24]
  ])
  // Midnight of Kolkata is 18:30 UTC: its day is counted from 18:00 on.
  t.same(await daysOf('Asia/Kolkata'), [
    ['03-25T18:00', 18],
    ['03-26T18:00', 24],
    ['03-27T18:00', 24]
  ])
})

const hourMs = 3_600_000
/** `[start, length in hours]` of each day. */
function daysOf(zone: string, from: string, to: string): [string, number][] {
  const bounds = zoneDayBounds(zone, Date.parse(from), Date.parse(to))
  return bounds.slice(0, -1).map((bound, place) => {
    return [new Date(bound).toISOString().slice(0, 16), ((bounds[place + 1] ?? 0) - bound) / hourMs]
  })
}

t.test('a day is as long as it is where clocks change', async (t) => {
  t.same(daysOf('Europe/Berlin', '2026-03-28T12:00Z', '2026-03-30T12:00Z'), [
    ['2026-03-27T23:00', 24],
    ['2026-03-28T23:00', 23],
    ['2026-03-29T22:00', 24]
  ])
  t.same(daysOf('Europe/Berlin', '2026-10-24T12:00Z', '2026-10-26T12:00Z'), [
    ['2026-10-23T22:00', 24],
    ['2026-10-24T22:00', 25],
    ['2026-10-25T23:00', 24]
  ])
  t.same(daysOf('America/New_York', '2026-11-01T12:00Z', '2026-11-01T13:00Z'), [
    ['2026-11-01T04:00', 25]
  ])
})

t.test(
  'where the offset is not whole hours, a day begins at the full hour before its midnight',
  async (t) => {
    t.same(daysOf('Asia/Kolkata', '2026-06-01T12:00Z', '2026-06-01T13:00Z'), [
      ['2026-05-31T18:00', 24]
    ])
    t.same(daysOf('Asia/Kathmandu', '2026-06-01T12:00Z', '2026-06-01T13:00Z'), [
      ['2026-05-31T18:00', 24]
    ])
    t.same(daysOf('America/St_Johns', '2026-03-07T12:00Z', '2026-03-09T12:00Z'), [
      ['2026-03-07T03:00', 24],
      ['2026-03-08T03:00', 23],
      ['2026-03-09T02:00', 24]
    ])
  }
)

t.test('days follow each other without gap or overlap, all over the world', async (t) => {
  for (const zone of [
    'Pacific/Kiritimati',
    'Pacific/Chatham',
    'Australia/Lord_Howe',
    'Pacific/Apia'
  ]) {
    const bounds = zoneDayBounds(
      zone,
      Date.parse('2026-01-01T00:00Z'),
      Date.parse('2026-12-31T00:00Z')
    )
    const lengths = bounds.slice(1).map((bound, place) => (bound - (bounds[place] ?? 0)) / hourMs)
    t.ok(
      lengths.every((hours) => hours >= 23 && hours <= 25),
      zone
    )
    t.ok(bounds.length >= 365 && bounds.length <= 367, `${zone}: ${bounds.length - 1} days`)
  }
})
