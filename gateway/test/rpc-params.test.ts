// The excerpt of a call's params that its owner may see.
import t from 'tap'
import { paramsExcerpt } from '../rpc/params.ts'
import { scan } from '../rpc/scan.ts'

function excerpt(request: string, index = 0, bytesMax = 512) {
  const body = Buffer.from(request)
  const found = scan(body, 100)
  const call = found === 'parse_error' ? undefined : found.calls[index]
  if (call === undefined) throw new Error(request)
  return paramsExcerpt(body, call, bytesMax)
}

t.test('params are found wherever they stand, as the client wrote them', async (t) => {
  t.equal(excerpt('{"params" : [ "0x1", {"a":"}"} ] ,"method":"m","id":1}'), '[ "0x1", {"a":"}"} ]')
  t.equal(excerpt(' { "id":{"params":1}, "method":"m","params":{"params":2}}'), '{"params":2}')
  t.equal(
    excerpt('[{"id":1,"method":"a","params":[1]},{"id":2,"method":"b","params":[2]}]', 1),
    '[2]'
  )
  t.equal(excerpt('{"id":1,"method":"m"}'), null)
})

t.test('an excerpt ends before the character that would not fit', async (t) => {
  t.equal(excerpt('{"method":"m","params":["aé"]}', 0, 5), '["aé')
  t.equal(excerpt('{"method":"m","params":["aé"]}', 0, 4), '["a')
  t.equal(excerpt(`{"method":"m","params":["${'x'.repeat(1000)}"]}`)?.length, 512)
})
