// What is sealed opens again, with the right key, for the right row, unchanged, and in no other way.
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { createSecretBox } from '../secret-box.ts'

const newKey = () => randomBytes(32).toString('base64')

t.test('any text opens as it was sealed', async () => {
  const box = createSecretBox([newKey()])
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, context) => {
      return box.open(box.seal(text, context), context) === text
    })
  )
})

t.test('the same text is sealed differently each time', async (t) => {
  const box = createSecretBox([newKey()])
  t.notSame(box.seal('https://node/key', 'ups_1'), box.seal('https://node/key', 'ups_1'))
})

t.test('a seal does not open for another row', async (t) => {
  const box = createSecretBox([newKey()])
  const sealed = box.seal('https://node/key', 'ups_1')
  t.throws(() => box.open(sealed, 'ups_2'))
})

t.test('a seal with any changed bit does not open', async () => {
  const box = createSecretBox([newKey()])
  const sealed = box.seal('https://node/key', 'ups_1')
  for (let place = 0; place < sealed.length * 8; place++) {
    const changed = Buffer.from(sealed)
    const byte = changed[place >> 3] ?? 0
    changed[place >> 3] = byte ^ (1 << (place & 7))
    t.throws(() => box.open(changed, 'ups_1'))
  }
})

t.test('a seal that was cut off does not open', async (t) => {
  const box = createSecretBox([newKey()])
  const sealed = box.seal('https://node/key', 'ups_1')
  for (let length = 0; length < sealed.length; length++) {
    t.throws(() => box.open(sealed.subarray(0, length), 'ups_1'))
  }
})

t.test(
  'keys are replaced by putting the new one first: old seals open, new ones are of the new key',
  async (t) => {
    const [older, newer] = [newKey(), newKey()]
    const before = createSecretBox([older])
    const during = createSecretBox([newer, older])
    const after = createSecretBox([newer])
    t.equal(during.open(before.seal('text', 'a'), 'a'), 'text')
    t.equal(after.open(during.seal('text', 'a'), 'a'), 'text')
    t.throws(() => after.open(before.seal('text', 'a'), 'a'), /SECRET_KEY: add the older key/)
  }
)

t.test('a key of another length, and no key at all, is refused', async (t) => {
  t.throws(() => createSecretBox([]), /at least one key/)
  t.throws(() => createSecretBox([randomBytes(31).toString('base64')]), /32 bytes in base64/)
  t.throws(() => createSecretBox([newKey(), '']), /32 bytes in base64/)
})
