// The api key is a published format: these are the promises that scanners, importers and the gateway rely on.
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { classifyApiKey, hashApiKey, newApiKey, publicFormOf } from '../api-key.ts'

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

t.test('a new key has our format, passes its own checksum, and is new', async (t) => {
  const keys = Array.from({ length: 500 }, newApiKey)
  t.ok(keys.every((key) => /^slc_[0-9A-Za-z]{38}$/.test(key)))
  t.ok(keys.every((key) => classifyApiKey(key) === 'own'))
  t.equal(new Set(keys).size, keys.length)
})

t.test('every character of the alphabet is used about equally often', async (t) => {
  const counts = new Map<string, number>()
  const keys = 4000
  for (let round = 0; round < keys; round++) {
    for (const character of newApiKey().slice(4, 36)) {
      counts.set(character, (counts.get(character) ?? 0) + 1)
    }
  }
  const expected = (keys * 32) / 62
  // Six standard deviations: a fair generator fails this once in 500 million runs for each character.
  const margin = 6 * Math.sqrt(expected)
  for (const character of base62) {
    const count = counts.get(character) ?? 0
    if (Math.abs(count - expected) > margin) t.fail(`${character}: ${count}, expected ${expected}`)
  }
  t.equal(counts.size, 62)
})

t.test('one changed character is a bad checksum: no look-up is needed', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 41 }), fc.constantFrom(...base62), (place, character) => {
      const key = newApiKey()
      fc.pre(key[place] !== character)
      const changed = key.slice(0, place) + character + key.slice(place + 1)
      return classifyApiKey(changed) === 'bad_checksum'
    })
  )
  t.equal(classifyApiKey(`slc_${'a'.repeat(32)}000000`), 'bad_checksum')
})

t.test(
  'the checksum is the published one: CRC32 of what precedes, in base62, six places',
  async (t) => {
    // Worked out independently: zlib.crc32(b"slc_" + b"a" * 32) in Python.
    t.equal(classifyApiKey(`slc_${'a'.repeat(32)}2FfllC`), 'own')
  }
)

t.test('an imported key is 8 to 128 characters of A-Z a-z 0-9 _ -', async (t) => {
  t.equal(classifyApiKey('ETHEREUMABCDEFGHIJKLMNOP'), 'imported')
  t.equal(classifyApiKey('a'.repeat(8)), 'imported')
  t.equal(classifyApiKey('a'.repeat(128)), 'imported')
  for (const text of [
    '',
    'a'.repeat(7),
    'a'.repeat(129),
    'with space',
    'ünïcödé',
    'a/b/c/d/e',
    `${'a'.repeat(8)}\n`
  ]) {
    t.equal(classifyApiKey(text), 'malformed', JSON.stringify(text))
  }
})

t.test('what starts like ours is never an imported one', async (t) => {
  for (const text of [
    'slc_',
    'slc_short',
    `slc_${'a'.repeat(37)}`,
    `slc_${'a'.repeat(39)}`,
    `slc_${'-'.repeat(38)}`
  ]) {
    t.equal(classifyApiKey(text), 'malformed', text)
  }
})

t.test('the hash is SHA-256 of the secret', async (t) => {
  const key = newApiKey()
  t.same(hashApiKey(key), createHash('sha256').update(key).digest())
  t.equal(hashApiKey(key).length, 32)
})

t.test('the public form recognises a key and does not give it away', async (t) => {
  t.same(publicFormOf('slc_Ab3dEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEx9Qz'), {
    prefix: 'slc_Ab3d',
    last4: 'x9Qz'
  })
  t.same(publicFormOf('abcdefgh'), { prefix: 'ab', last4: 'efgh' })
})
