// What is JSON to the scanner is exactly what JSON.parse takes after strict UTF-8 decoding: no body that a node would
// refuse gets through, and none that a node would take is refused.
import fc from 'fast-check'
import t from 'tap'
import { scan } from '../rpc/scan.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isJson(body: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(body))
    return true
  } catch {
    return false
  }
}

const isScanned = (body: Uint8Array) => scan(body, 10) !== 'parse_error'
const agrees = (body: Uint8Array) => isScanned(body) === isJson(body)
const bytes = (text: string) => new TextEncoder().encode(text)

/** A body and how to damage it: a few bytes replaced, removed or put in. */
const damagedJson = fc
  .tuple(
    fc.json({ maxDepth: 4 }),
    fc.array(
      fc.record({
        at: fc.nat(),
        remove: fc.nat(2),
        insert: fc.oneof(
          fc.uint8Array({ maxLength: 2 }),
          fc.constantFrom(...'{}[]:,"\\-+.eE019tfnu \n\t\r\0\u00e9').map(bytes)
        )
      }),
      { minLength: 1, maxLength: 3 }
    )
  )
  .map(([json, damages]) => {
    let body = Buffer.from(json)
    for (const { at, remove, insert } of damages) {
      const place = at % (body.length + 1)
      body = Buffer.concat([body.subarray(0, place), insert, body.subarray(place + remove)])
    }
    return body
  })

t.test('scan agrees with JSON.parse on arbitrary bytes', async (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), agrees), { numRuns: 2000 })
  t.pass('2,000 bodies')
})

t.test('scan agrees with JSON.parse on text made of the characters JSON is made of', async (t) => {
  const text = fc
    .array(fc.constantFrom(...'{}[]:,""\\-+.eE0129 \n\tu', 'true', 'false', 'null', '"a"'), {
      maxLength: 12
    })
    .map((parts) => bytes(parts.join('')))
  fc.assert(fc.property(text, agrees), { numRuns: 10_000 })
  t.pass('10,000 bodies')
})

t.test('scan takes all JSON, and agrees with JSON.parse when it is damaged', async (t) => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6, stringUnit: 'binary' }), (json) => isScanned(bytes(json))),
    { numRuns: 1000 }
  )
  fc.assert(fc.property(damagedJson, agrees), { numRuns: 8000 })
  t.pass('9,000 bodies')
})

t.test('scan agrees with JSON.parse on every number of the grammar and beside it', async (t) => {
  const part = (...choices: string[]) => fc.constantFrom('', ...choices)
  const number = fc
    .tuple(
      part('-', '+', '--'),
      part('0', '00', '01', '7', '10', '123456789012345678901234567890', 'a'),
      part('.', '.0', '.5', '.05', '.e', '..1'),
      part('e', 'E', 'e1', 'E-1', 'e+01', 'e+', 'e1.5', 'x')
    )
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(
      number,
      (text) => agrees(bytes(text)) && agrees(bytes(`[${text}]`)) && agrees(bytes(`{"a":${text}}`))
    ),
    { numRuns: 2000 }
  )
  t.pass('2,000 numbers')
})

t.test(
  'scan refuses each of the 32 control characters in a string and takes each other byte of ASCII',
  async (t) => {
    for (let byte = 0; byte < 0x80; byte++) {
      const body = Uint8Array.of(0x22, byte, 0x22)
      t.equal(isScanned(body), byte >= 0x20 && byte !== 0x22 && byte !== 0x5c, `byte ${byte}`)
      t.ok(agrees(body))
    }
  }
)

t.test('scan agrees with JSON.parse on every escape', async (t) => {
  for (let byte = 0; byte < 0x100; byte++) {
    t.ok(agrees(Uint8Array.of(0x22, 0x5c, byte, 0x22)), `\\ and byte ${byte}`)
    for (let place = 0; place < 4; place++) {
      const digits = Buffer.from('00aF')
      digits[place] = byte
      t.ok(agrees(Buffer.concat([bytes('"\\u'), digits, bytes('"')])), `byte ${byte} at ${place}`)
    }
  }
  for (const cut of ['"\\', '"\\u', '"\\u0', '"\\u00a', '"\\u00a0', '"\\u00a"']) {
    t.notOk(isScanned(bytes(cut)), cut)
  }
})

t.test('scan takes the four white spaces of JSON everywhere, and no other', async (t) => {
  for (let byte = 0; byte < 0x100; byte++) {
    const between = (gap: Uint8Array) =>
      Buffer.concat(
        ['', '{', '"a"', ':', '[', '1', ',', '{', '}', ']', ',', '"b"', ':', '""', '}', ''].flatMap(
          (token) => [bytes(token), gap]
        )
      )
    const isSpace = [0x20, 0x09, 0x0a, 0x0d].includes(byte)
    t.equal(isScanned(between(Uint8Array.of(byte, byte))), isSpace, `byte ${byte}`)
  }
  for (const text of ['\u00a01', '\u20281', '\ufeff{}', '1\0', '\v1', '\f1']) {
    t.notOk(isScanned(bytes(text)), encodeURIComponent(text))
    t.ok(agrees(bytes(text)))
  }
})

t.test('scan refuses what is not UTF-8', async (t) => {
  const inString = (...encoded: number[]) => Uint8Array.of(0x22, ...encoded, 0x22)
  const refused = {
    'a lone continuation byte': inString(0x80),
    'a cut sequence': inString(0xe2, 0x82),
    'an overlong slash': inString(0xc0, 0xaf),
    'an encoded surrogate': inString(0xed, 0xa0, 0x80),
    'a code point above U+10FFFF': inString(0xf4, 0x90, 0x80, 0x80),
    'UTF-16': Buffer.from('{"a":1}', 'utf16le'),
    'a byte order mark': Buffer.from('\ufeff{}')
  }
  for (const [what, body] of Object.entries(refused)) {
    t.notOk(isScanned(body), what)
    t.ok(agrees(body), what)
  }
  t.ok(isScanned(bytes('"aé€😀"')), 'UTF-8 of every length')
})

t.test('scan refuses what is cut off, wherever that is', async (t) => {
  const whole = bytes('[{"jsonrpc":"2.0","id":-1.5e3,"method":"a\\u00e9","params":[true,null,{}]}]')
  t.ok(isScanned(whole))
  for (let length = 0; length < whole.length; length++) {
    t.notOk(isScanned(whole.subarray(0, length)), `${length} bytes`)
  }
})

t.test('scan reads only the view it is given, not the buffer behind it', async (t) => {
  const buffer = bytes('[1,2]')
  t.ok(isScanned(buffer.subarray(1, 2)))
  t.notOk(isScanned(buffer.subarray(0, 4)))
})
