// A node that answers every POST with the same bytes as fast as it can: what stands behind every contestant, and, asked
// directly, the floor that no proxy on the same HTTP server can get below.
//
//   node bench/upstream.ts <port> <bytes of an answer>
import { createApp } from '../gateway/uws.ts'
import { reportToBench } from './program.ts'

const port = Number(process.argv[2])
const answerBytes = Number(process.argv[3])
const emptyAnswer = '{"jsonrpc":"2.0","id":1,"result":"0x"}'
if (!(port > 0 && answerBytes >= emptyAnswer.length)) {
  throw new Error(
    `usage: node bench/upstream.ts <port> <bytes of an answer, at least ${emptyAnswer.length}>`
  )
}
const answer = emptyAnswer.replace('0x', `0x${'1'.repeat(answerBytes - emptyAnswer.length)}`)

const app = createApp()
app.post('/*', (res) => {
  res.onAborted(() => undefined)
  res.onData((_chunk, isLast) => {
    if (isLast) {
      res.cork(() => {
        res.writeHeader('content-type', 'application/json').end(answer)
      })
    }
  })
})
app.listen('127.0.0.1', port, (socket) => {
  if (socket === false) throw new Error(`the upstream cannot listen on 127.0.0.1:${port}`)
  reportToBench(() => app.close())
})
