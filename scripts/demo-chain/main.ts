// `npm run demo-chain [-- --port 8545 --host 127.0.0.1]`: the demo chain on its own, until Ctrl-C.
import { parseArgs } from 'node:util'
import { explain, Setback } from '../setback.ts'
import { startDemoChain } from './demo-chain.ts'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8545' },
      host: { type: 'string', default: '127.0.0.1' }
    }
  })
  const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : Number.NaN
  if (!(port <= 65_535)) {
    throw new Setback(`--port ${values.port} is not a port: it takes 0 to 65535`)
  }
  const chain = await startDemoChain({ port, host: values.host })
  process.stdout.write(`demo chain on ${chain.url}\n`)
  let isAsked = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!isAsked) void chain.stop()
      isAsked = true
    })
  }
}

try {
  await main()
} catch (error) {
  const { text, exitCode } = explain(error)
  process.stderr.write(`${text}\n`)
  process.exitCode = exitCode
}
