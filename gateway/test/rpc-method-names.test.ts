// Which methods metrics and usage call by name: those that a node has answered, never those that a client has invented.
import t from 'tap'
import { createMethodNames } from '../rpc/method-names.ts'

t.test('method names: a method is _other until it is learned, and learned once', async (t) => {
  const names = createMethodNames()
  t.equal(names.nameOf('eth_call'), '_other')
  t.equal(names.isNews('eth_call'), true)
  t.equal(names.learn('eth_call'), true)
  t.equal(names.nameOf('eth_call'), 'eth_call')
  t.equal(names.isNews('eth_call'), false)
  t.equal(names.learn('eth_call'), false)
})

t.test('method names: no more names than the limit become known', async (t) => {
  const names = createMethodNames(2)
  t.same(
    ['a', 'b', 'c'].map((method) => names.learn(method)),
    [true, true, false]
  )
  t.same(['a', 'b', 'c'].map(names.nameOf), ['a', 'b', '_other'])
})

t.test(
  'method names: what is no plausible name is not learned, so a label is always short and plain',
  async (t) => {
    const names = createMethodNames()
    for (const method of ['', '_other', 'a b', 'é', 'a"b', 'a\nb', '1a', 'a'.repeat(65)]) {
      t.equal(names.learn(method), false)
      t.equal(names.nameOf(method), '_other', JSON.stringify(method))
    }
    for (const method of ['eth_getBlockByNumber', 'system.health', 'net:peers', 'a'.repeat(64)]) {
      t.equal(names.learn(method), true)
      t.equal(names.nameOf(method), method)
    }
  }
)
