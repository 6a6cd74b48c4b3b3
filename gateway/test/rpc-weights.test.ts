// What a call costs.
import t from 'tap'
import { createWeights } from '../rpc/weights.ts'

t.test('weights: a method costs its weight, and 1 when it has none', async (t) => {
  const weights = createWeights({ eth_call: 20, eth_chainId: 0, trace_block: 1_000_000 })
  t.equal(weights.costOf('eth_call'), 20)
  t.equal(weights.costOf('eth_chainId'), 0)
  t.equal(weights.costOf('trace_block'), 1_000_000)
  t.equal(weights.costOf('eth_Call'), 1)
  t.equal(weights.costOf(''), 1)
})

t.test('weights: a method called like a member of every object costs 1', async (t) => {
  const weights = createWeights({})
  for (const method of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    t.equal(weights.costOf(method), 1, method)
  }
  t.equal(createWeights(JSON.parse('{"__proto__":7}')).costOf('__proto__'), 7)
})

t.test('weights: a weight that is no integer from 0 to a million is refused by name', async (t) => {
  for (const weight of [-1, 0.5, 1_000_001, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(
      () => createWeights({ eth_call: weight }),
      /weight of "eth_call" is .* from 0 to 1000000/
    )
  }
  t.throws(() => createWeights(JSON.parse('{"eth_call":"5"}')), /weight of "eth_call" is 5/)
})
