// uWS answering by itself: the upstream, asked directly, on the contestants' core. No proxy on uWS can cost less.
import { findFreePort } from '../../scripts/ports.ts'
import { cores } from '../machine.ts'
import { startProgram } from '../program.ts'
import type { Contestant } from './contestant.ts'

export const floor: Contestant = {
  name: 'uws-alone',
  description: 'uWebSockets.js answers by itself: no proxy on it can cost less',
  async start(_upstreamUrl, answerBytes) {
    const port = await findFreePort()
    const program = await startProgram({
      file: 'upstream.ts',
      args: [String(port), String(answerBytes)],
      core: cores.contestant
    })
    await program.firstMessage
    return { url: `http://127.0.0.1:${port}/`, pids: [program.pid], stop: () => program.stop() }
  }
}
