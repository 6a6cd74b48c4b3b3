// Contestants that are a Node program of ours, on one thread.
import { findFreePort } from '../../scripts/ports.ts'
import { startNode } from '../program.ts'
import type { Contestant, Setup } from './contestant.ts'

interface NodeContestant {
  readonly name: string
  readonly description: string
  readonly isProxy: boolean
  /** As seen from bench/. */
  readonly file: string
  readonly argsOf: (port: number, setup: Setup) => readonly (string | number)[]
}

function createNodeContestant(options: NodeContestant): Contestant {
  const { name, description, isProxy, file, argsOf } = options
  return {
    name,
    description,
    isProxy,
    duties: [],
    threadsMax: 1,
    findObstacle: () => null,
    version: () => null,
    async start(setup) {
      const port = await findFreePort()
      const program = await startNode({
        file,
        args: argsOf(port, setup).map(String),
        cores: setup.placement.contestant
      })
      await program.firstMessage
      return { port, pid: program.pid, failure: program.failure, stop: () => program.stop() }
    }
  }
}

/** The upstream, asked directly, on the contestants' core. */
export const floor = createNodeContestant({
  name: 'uws-alone',
  description: 'uWebSockets.js answers by itself: no proxy on it can cost less',
  isProxy: false,
  file: 'upstream.ts',
  argsOf: (port, { answerBytes, calls }) => [port, answerBytes, calls, '/*']
})

export const bareProxy = createNodeContestant({
  name: 'bare-proxy',
  description: 'uWebSockets.js and undici dispatch, no features: what Sluice is built on, alone',
  isProxy: true,
  file: 'peers/bare-proxy.ts',
  argsOf: (port, { upstreamPort }) => [port, `http://127.0.0.1:${upstreamPort}/`]
})

export const fastifyHttpProxy = createNodeContestant({
  name: 'fastify-http-proxy',
  description: '@fastify/http-proxy: forwards and no more',
  isProxy: true,
  file: 'peers/fastify-http-proxy.ts',
  argsOf: (port, { upstreamPort }) => [port, `http://127.0.0.1:${upstreamPort}`]
})
