// A node that answers every POST to / with the same bytes as fast as it can: what stands behind every contestant, and,
// asked directly, the floor that no proxy on the same HTTP server can get below. Any other path is a 404, so that a
// contestant that sends a client's key upstream fails. GET / tells how many POSTs there were.
//
//   node bench/upstream.ts <port> <bytes of an answer> <calls in a request> [<the paths that it serves in place of />]
import { createApp } from '../gateway/uws.ts'
import { answerOf } from './answer.ts'
import { reportToBench } from './program.ts'

const [port, answerBytes, calls, paths = '/'] = process.argv.slice(2)
if (![port, answerBytes, calls].every((text) => Number(text) > 0)) {
  throw new Error('usage: node bench/upstream.ts <port> <bytes of an answer> <calls> [<paths>]')
}
const answer = answerOf(Number(answerBytes), Number(calls))
let asked = 0

const app = createApp()
app.get('/', (res) => {
  res.end(String(asked))
})
app.post(paths, (res) => {
  asked++
  res.onAborted(() => undefined)
  res.onData((_chunk, isLast) => {
    if (isLast) {
      res.cork(() => {
        res.writeHeader('content-type', 'application/json').end(answer)
      })
    }
  })
})
app.any('/*', (res) => {
  res.writeStatus('404 Not Found').end()
})
app.listen('127.0.0.1', Number(port), (socket) => {
  if (socket === false) throw new Error(`the upstream cannot listen on 127.0.0.1:${port}`)
  reportToBench(() => app.close())
})
