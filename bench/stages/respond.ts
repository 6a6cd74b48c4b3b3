// What building an error answer costs, with the scan that finds the client's ids; uWS's writing of it is not in this.
//
//   node bench/stages/respond.ts
import { createFailures } from '../../gateway/errors.ts'
import { errorAnswer } from '../../gateway/rpc/error-answer.ts'
import { scan } from '../../gateway/rpc/scan.ts'
import { printTime, time } from './stopwatch.ts'

const failures = createFailures(402)
const context = {
  requestId: '4S1YYGDOD9fD2',
  detail: '',
  retryAfterMs: 180,
  resetsAtMs: 0,
  cost: 1,
  costLimit: null
}
const call = (id: number) => ({ jsonrpc: '2.0', method: 'eth_blockNumber', params: [], id })
const single = Buffer.from(JSON.stringify(call(1)))
const batch = Buffer.from(JSON.stringify(Array.from({ length: 10 }, (_, id) => call(id))))

function refuse(body: Buffer): number {
  const found = scan(body, 100)
  if (found === 'parse_error') throw new Error('the body is not JSON')
  return errorAnswer(failures.rate_limited, context, body, found, 1000).length
}

printTime(
  'key_invalid, without a body',
  time(() => errorAnswer(failures.key_invalid, context, null, null, 1000).length)
)
printTime(
  'rate_limited, one call',
  time(() => refuse(single))
)
printTime(
  'rate_limited, a batch of 10',
  time(() => refuse(batch))
)
