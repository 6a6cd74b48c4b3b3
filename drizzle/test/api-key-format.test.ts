// The api key is a published format: these are the promises that scanners, importers and the gateway rely on.
import fc from 'fast-check'
import t from 'tap'
import { classifyApiKey, newApiKey } from '../api-key.ts'

t.test('a new key has our format and passes its own checksum', async (t) => {
  for (let round = 0; round < 200; round++) {
    const key = newApiKey()
    t.match(key, /^slc_[0-9A-Za-z]{38}$/)
    t.equal(classifyApiKey(key), 'own')
  }
})

t.test('one changed character of our format is a bad checksum: no lookup is needed', async (t) => {
  const key = `slc_${'a'.repeat(32)}`
  fc.assert(
    fc.property(
      fc.integer({ min: 4, max: 41 }),
      fc.constantFrom(...'09AZaz'),
      (place, character) => {
        const key = newApiKey()
        if (key[place] === character) return
        const changed = key.slice(0, place) + character + key.slice(place + 1)
        return classifyApiKey(changed) === 'bad_checksum'
      }
    )
  )
  t.equal(classifyApiKey(`${key}000000`), 'bad_checksum')
})
