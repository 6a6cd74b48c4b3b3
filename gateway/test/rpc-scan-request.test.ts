// What the scanner tells of a request is what a node would read from it, and a request that two nodes could read
// differently is refused.
import fc from 'fast-check'
import t from 'tap'
import { problems } from '../rpc/request.ts'
import { type RpcCall, scan } from '../rpc/scan.ts'

function only(text: string): RpcCall {
  const scanned = scan(Buffer.from(text), 10)
  if (scanned === 'parse_error') throw new Error(`not JSON: ${text}`)
  const [call, ...more] = scanned.calls
  if (call === undefined || more.length > 0 || scanned.isBatch) throw new Error('not one call')
  return call
}
const idOf = (text: string, call: RpcCall) =>
  call.idStart < 0 ? null : Buffer.from(text).toString('utf8', call.idStart, call.idEnd)

t.test('scan finds method, id and span of a request', async (t) => {
  const text = ' {"jsonrpc":"2.0","method":"eth_blockNumber","params":[],"id":1}\n'
  t.match(only(text), {
    method: 'eth_blockNumber',
    idStart: 62,
    idEnd: 63,
    start: 1,
    end: 64,
    problem: null
  })
})

t.test('scan keeps the raw bytes of every kind of id', async (t) => {
  for (const id of [
    '1',
    '-0.5e+10',
    '123456789012345678901234567890',
    '"a"',
    '"\\u00e9é"',
    '""',
    'null'
  ]) {
    const text = `{"method":"m","id": ${id} }`
    t.equal(idOf(text, only(text)), id)
    t.equal(only(text).problem, null)
  }
})

t.test('scan tells a notification from a call with id null', async (t) => {
  t.match(only('{"method":"m"}'), { problem: null, idStart: -1, idEnd: -1 })
  t.equal(idOf('{"method":"m","id":null}', only('{"method":"m","id":null}')), 'null')
})

t.test('scan decodes escaped member names and methods', async (t) => {
  const text =
    '{"me\\u0074hod":"eth\\u005fcall","\\u0069d":7,"\\u006a\\u0073\\u006f\\u006e\\u0072\\u0070\\u0063":"2.\\u0030"}'
  t.match(only(text), { method: 'eth_call', problem: null })
  t.equal(idOf(text, only(text)), '7')
  t.match(only('{"method":"é😀\\n\\ud800"}'), { method: 'é😀\n\ud800', problem: null })
})

t.test(
  'scan is lenient where nodes are: no jsonrpc member, params null, other members',
  async (t) => {
    for (const text of [
      '{"method":"m","id":1}',
      '{"method":"m","params":null,"id":1}',
      '{"method":"m","params":{},"id":1}',
      '{"method":"m","id":1,"extra":[{"method":"n","Method":"o"}],"":0,"methods":1,"i":2}'
    ]) {
      t.match(only(text), { method: 'm', problem: null }, text)
    }
  }
)

t.test('scan refuses a member of the wrong type, and names the member', async (t) => {
  for (const value of ['1', 'null', 'true', '[]', '{}', '""']) {
    t.match(only(`{"method":${value}}`), { method: '', problem: problems.method }, value)
  }
  t.match(only('{}'), { problem: problems.method })
  for (const value of ['1', '"a"', 'false', 'true']) {
    t.match(
      only(`{"method":"m","params":${value}}`),
      { method: '', problem: problems.params },
      value
    )
  }
  for (const value of ['true', 'false', '[]', '{}', '[1]']) {
    const call = only(`{"method":"m","id":${value}}`)
    t.match(call, { method: '', problem: problems.id, idStart: -1, idEnd: -1 }, value)
  }
  for (const value of ['"1.0"', '2.0', '2', 'null', '""', '"2.0 "', '["2.0"]', '"2.00"']) {
    t.match(only(`{"jsonrpc":${value},"method":"m"}`), { problem: problems.version }, value)
  }
})

t.test(
  'scan keeps the id of a refused request, so that the client can match the error',
  async (t) => {
    const text = '{"jsonrpc":"1","method":7,"id":"x","params":0}'
    t.equal(idOf(text, only(text)), '"x"')
  }
)

t.test('scan refuses anything but an object', async (t) => {
  for (const text of ['1', '"eth_call"', 'null', 'true', '-1.5e3']) {
    t.match(only(text), { method: '', problem: problems.notObject, start: 0, end: text.length })
  }
})

t.test('scan refuses a repeated member, in either order, escaped or not', async (t) => {
  const first = { jsonrpc: '"2.0"', method: '"m"', params: '[]', id: '1' }
  for (const [name, value] of Object.entries(first)) {
    const others = Object.entries(first)
      .filter(([other]) => other !== name)
      .map(([other, otherValue]) => `"${other}":${otherValue}`)
    const last = name.at(-1)?.charCodeAt(0).toString(16)
    const escaped = `"${name.slice(0, -1)}\\u00${last}":${value}`
    for (const again of [`"${name}":${value}`, escaped]) {
      const plain = `"${name}":${value}`
      for (const pair of [
        [plain, again],
        [again, plain]
      ]) {
        const call = only(`{${[pair[0], ...others, pair[1]].join()}}`)
        t.match(call, { method: '', problem: problems.ambiguous }, `${pair}`)
        if (name === 'id') t.match(call, { idStart: -1, idEnd: -1 }, 'an ambiguous id is no id')
      }
    }
  }
})

t.test('scan refuses a member that Go would take for one of the four', async (t) => {
  for (const name of [
    'Method',
    'METHOD',
    'mEthod',
    'ID',
    'Id',
    'iD',
    'Params',
    'param\u017f',
    'PARAM\u017f'
  ]) {
    t.equal(only(`{"method":"eth_call","${name}":1}`).problem, problems.ambiguous, name)
  }
  for (const name of ['j\u017fonrpc', 'JSONRPC', 'j\\u017fonrpc', 'param\\u017F', '\\u004dethod']) {
    t.equal(only(`{"${name}":1,"method":"eth_call"}`).problem, problems.ambiguous, name)
  }
  const attack = '{"method":"eth_call","Method":"debug_traceBlock","id":1}'
  t.match(only(attack), { method: '', problem: problems.ambiguous })
  t.equal(idOf(attack, only(attack)), '1')
})

t.test('scan takes names that no case folding turns into one of the four', async (t) => {
  // Dotless and dotted i fold to themselves; a full-width letter and an accent are other letters; the rest is length.
  for (const name of [
    '\u0131d',
    '\u0130d',
    '\uff49d',
    'méthod',
    'metho',
    'methods',
    'id ',
    ' id',
    'param',
    'id\\u0000'
  ]) {
    t.match(only(`{"method":"m","${name}":1}`), { method: 'm', problem: null }, name)
  }
})

t.test('scan reads every generated request as JSON.parse does', async (t) => {
  const escapedSomewhere = (name: string) =>
    fc.infiniteStream(fc.boolean()).map((stream) => {
      const parts = [...name].map((character) =>
        stream.next().value
          ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
          : character
      )
      return `"${parts.join('')}"`
    })
  const json = fc.json({ maxDepth: 3, stringUnit: 'grapheme' })
  const member = (name: string, value: fc.Arbitrary<string>) =>
    fc.tuple(escapedSomewhere(name), value).map((pair) => pair.join(':'))
  const request = fc
    .tuple(
      fc.option(member('jsonrpc', fc.constant('"2.0"'))),
      member(
        'method',
        fc.string({ minLength: 1, unit: 'binary' }).map((s) => JSON.stringify(s))
      ),
      fc.option(
        member(
          'params',
          fc.array(fc.jsonValue({ maxDepth: 3 })).map((v) => JSON.stringify(v))
        )
      ),
      fc.option(
        member(
          'id',
          fc
            .oneof(
              fc.string(),
              fc.integer(),
              fc.double({ noNaN: true, noDefaultInfinity: true }),
              fc.constant(null)
            )
            .map((v) => JSON.stringify(v))
        )
      ),
      fc.option(member('other', json))
    )
    .chain((parts) =>
      fc.shuffledSubarray(
        parts.filter((part) => part !== null),
        { minLength: parts.filter((part) => part !== null).length }
      )
    )
    .map((parts) => `{${parts.join(',')}}`)
  fc.assert(
    fc.property(request, (text) => {
      const call = only(text)
      const parsed = JSON.parse(text)
      const id = idOf(text, call)
      return (
        call.problem === null &&
        call.method === parsed.method &&
        ('id' in parsed ? id !== null && Object.is(JSON.parse(id), parsed.id) : id === null)
      )
    }),
    { numRuns: 1000 }
  )
  t.pass('1,000 requests')
})

t.test(
  'scan has no problem with exactly the objects that name each member once and rightly',
  async (t) => {
    const name = fc.constantFrom('jsonrpc', 'method', 'params', 'id', 'ID', 'Params', 'x')
    const value = fc.constantFrom('"2.0"', '"m"', '[]', '{}', 'null', '1', 'true', '""')
    const isRight: Record<string, (value: string) => boolean> = {
      jsonrpc: (value) => value === '"2.0"',
      method: (value) => value.startsWith('"') && value !== '""',
      params: (value) => ['[]', '{}', 'null'].includes(value),
      id: (value) => !['[]', '{}', 'true'].includes(value),
      ID: () => false,
      Params: () => false,
      x: () => true
    }
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 5 }), (members) => {
        const known = members.map(([name]) => name).filter((name) => name !== 'x')
        const isValid =
          known.includes('method') &&
          new Set(known).size === known.length &&
          members.every(([name, value]) => isRight[name]?.(value))
        const call = only(`{${members.map(([name, value]) => `"${name}":${value}`).join()}}`)
        return (call.problem === null) === isValid && (call.method === '') === !isValid
      }),
      { numRuns: 5000 }
    )
    t.pass('5,000 objects')
  }
)
