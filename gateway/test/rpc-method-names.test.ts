// Which methods metrics call by name: those that a node has answered, never those that a client has invented.
import t from 'tap'
import { createMethodNames } from '../rpc/method-names.ts'

const result = Buffer.from('{"jsonrpc":"2.0","id":1,"result":"0x1"}')
const failed = Buffer.from(
  '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}'
)

t.test(
  'method names: a method is _other until a call of it was answered with a result',
  async (t) => {
    const names = createMethodNames()
    t.equal(names.nameOf('eth_call'), '_other')
    names.learn('eth_call', failed)
    t.equal(names.nameOf('eth_call'), '_other')
    names.learn('eth_call', result)
    t.equal(names.nameOf('eth_call'), 'eth_call')
    names.learn('eth_call', failed)
    t.equal(names.nameOf('eth_call'), 'eth_call', 'an error later does not unlearn it')
  }
)

t.test('method names: 10,000 invented methods take no place from a real one', async (t) => {
  const names = createMethodNames(1)
  for (let number = 0; number < 10_000; number++) names.learn(`junk_${number}`, failed)
  names.learn('eth_call', result)
  t.equal(names.nameOf('eth_call'), 'eth_call')
})

t.test('method names: no more names than the limit become known', async (t) => {
  const names = createMethodNames(2)
  for (const method of ['a', 'b', 'c']) names.learn(method, result)
  t.same(['a', 'b', 'c'].map(names.nameOf), ['a', 'b', '_other'])
})

t.test('method names: only an answer that is a result vouches for a name', async (t) => {
  const answers = {
    '{"result":null}': true,
    '{"id":1,"error":null,"result":[]}': true,
    '{"result":1,"error":{"code":1}}': false,
    '{"id":1}': false,
    '[{"result":1}]': false,
    null: false,
    '"result"': false,
    '{"result":1': false,
    '<html>502</html>': false,
    '': false
  }
  for (const [answer, isResult] of Object.entries(answers)) {
    const names = createMethodNames()
    names.learn('eth_call', Buffer.from(answer))
    t.equal(names.nameOf('eth_call') === 'eth_call', isResult, answer)
  }
})

t.test('method names: an answer over 64 KiB is not read', async (t) => {
  const names = createMethodNames()
  names.learn('eth_getLogs', Buffer.from(`{"result":"${'a'.repeat(65_536)}"}`))
  t.equal(names.nameOf('eth_getLogs'), '_other')
})

t.test(
  'method names: what is no plausible name is not learned, so a label is always short and plain',
  async (t) => {
    const names = createMethodNames()
    for (const method of ['', '_other', 'a b', 'é', 'a"b', 'a\nb', '1a', 'a'.repeat(65)]) {
      names.learn(method, result)
      t.equal(names.nameOf(method), '_other', JSON.stringify(method))
    }
    for (const method of ['eth_getBlockByNumber', 'system.health', 'net:peers', 'a'.repeat(64)]) {
      names.learn(method, result)
      t.equal(names.nameOf(method), method)
    }
  }
)
