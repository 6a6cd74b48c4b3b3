// The series as CSV: what RFC 4180 readers read back is what was said, and no spreadsheet runs any of it.
import t from 'tap'
import { toCsv } from '../analytics/csv.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'
import { recordCalls } from './support/usage.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)
const at = plane.clock()
// Whoever has a key chooses the names of methods.
const methods = ['eth_call', '=1+1', '+1', '-1', '@SUM(A1)', 'a,"b"', '=HYPERLINK("x",\'y\')']
await recordCalls(
  plane.database,
  methods.map((method, place) => ({
    orgId: ann.orgId,
    endpointId: endpoint.id,
    chainId: 'chn_one',
    keyId: endpoint.keys[0].id,
    at,
    method,
    ok: 10 - place
  }))
)

/** A reader of RFC 4180 that knows nothing of us. */
function readCsv(text: string): string[][] {
  const records: string[][] = []
  for (let place = 0; place < text.length; ) {
    const record: string[] = []
    for (;;) {
      const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y
      field.lastIndex = place
      const match = field.exec(text)
      if (match === null) throw new Error(`no field at ${place}: ${text.slice(place, place + 40)}`)
      record.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
      place = field.lastIndex
      if (match[3] === '\r\n') break
    }
    records.push(record)
  }
  return records
}

t.test('a header, then the same figures as JSON has', async (t) => {
  const path = `${endpoint.path}/usage?step=1m`
  const { body } = await ann.get(path)
  const answer = await ann.get(`${path}&format=csv`)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8; header=present')
  t.match(
    answer.headers.get('content-disposition'),
    /^attachment; filename="usage-ep_\w+-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d\.csv"$/
  )
  const [header = [], ...lines] = readCsv(answer.body)
  const point = body.data.find(({ calls }: { calls: number }) => calls > 0)
  t.same(header, Object.keys(point))
  const line = lines.find(([time]) => time === point.t)
  t.same(
    line,
    Object.values(point).map((value) => (value === null ? '' : String(value)))
  )
  t.ok(Math.abs(lines.length - body.data.length) <= 1, 'a minute may have begun in between')
})

t.test('the Accept header asks for it as well, and the query has the last word', async (t) => {
  const typeOf = async (query: string, accept: string) =>
    (await ann.get(`${endpoint.path}/usage?step=1d${query}`, { accept })).headers.get(
      'content-type'
    )
  t.match(await typeOf('', 'text/csv'), /^text\/csv/)
  t.match(await typeOf('', 'text/csv;q=0.9, */*;q=0.1'), /^text\/csv/)
  t.match(await typeOf('', 'application/json'), /^application\/json/)
  t.match(await typeOf('', '*/*'), /^application\/json/)
  t.match(await typeOf('&format=json', 'text/csv'), /^application\/json/)
  t.match(await typeOf('&format=csv', 'application/json'), /^text\/csv/)
})

t.test(
  'what a spreadsheet would run is a text, and quotes and commas stay what they are',
  async (t) => {
    const path = `${endpoint.path}/usage?step=1d&group_by=method&groups=10&format=csv`
    const [header = [], ...lines] = readCsv((await ann.get(path)).body)
    const column = header.indexOf('method')
    const named = lines.map((line) => line[column] ?? '')
    t.same(
      named.toSorted(),
      methods.map((method) => (/^[=+\-@]/.test(method) ? `'${method}` : method)).toSorted()
    )
    t.ok(named.every((name) => !/^[=+\-@\t\r\n]/.test(name)))
  }
)

t.test('fields that need it are quoted, and only those', async (t) => {
  const rows = [
    ['plain', 'a"b', 'a,b', 'a\nb', 1.5, -3, null],
    ['\tx', '\r=1', '\n=1', '=1', "'", '', 0]
  ]
  const text = toCsv(['a'], rows)
  const quoted = 'plain,"a""b","a,b","a\nb",1.5,-3,'
  const disarmed = `'\tx,"'\r=1","'\n=1",'=1,',,0`
  t.equal(text, `a\r\n${quoted}\r\n${disarmed}\r\n`)
})

t.test('an answer has a bound, which the refusal names', async (t) => {
  const { status, body } = await ann.get(
    `${endpoint.path}/usage?step=1m&group_by=method&groups=1000&format=csv`
  )
  t.equal(status, 400)
  t.match(body.errors, [{ pointer: '#/groups', detail: /ask for 2\d groups at most/ }])
})
