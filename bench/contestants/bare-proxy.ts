// uWS and undici with nothing between them (see ../peers/bare-proxy.ts).
import { findFreePort } from '../../scripts/ports.ts'
import { cores } from '../machine.ts'
import { startProgram } from '../program.ts'
import type { Contestant } from './contestant.ts'

export const bareProxy: Contestant = {
  name: 'bare-proxy',
  description: 'uWebSockets.js and undici dispatch, no features: what Sluice is built on, alone',
  async start(upstreamUrl) {
    const port = await findFreePort()
    const program = await startProgram({
      file: 'peers/bare-proxy.ts',
      args: [String(port), upstreamUrl],
      core: cores.contestant
    })
    await program.firstMessage
    return { url: `http://127.0.0.1:${port}/`, pids: [program.pid], stop: () => program.stop() }
  }
}
