// A node that answers each request with what the generator makes of the request's marker.
import { setImmediate } from 'node:timers/promises'
import { createRandom, type FuzzAnswer, makeAnswer } from './fuzz-answers.ts'
import {
  type RawRequest,
  type RawUpstream,
  reset,
  startRawUpstream,
  transportOf
} from './raw-upstream.ts'

export interface FuzzNode {
  readonly upstream: RawUpstream
  /** What it has answered to the request with this marker, in order; it forgets it. */
  take(marker: string): FuzzAnswer[]
}

export interface FuzzNodeOptions {
  readonly seed: number
  readonly scheme: 'http' | 'https'
  readonly maySendSurplus: boolean
}

const markerPattern = /\[t\d\dr(\d{7})\]/

export async function startFuzzNode({ seed, scheme, maySendSurplus }: FuzzNodeOptions) {
  const answered = new Map<string, FuzzAnswer[]>()
  const upstream = await startRawUpstream(undefined, scheme)
  upstream.answer = (socket, request) => {
    upstream.requests.length = 0
    const [marker = '', number = '0'] = markerPattern.exec(request.body) ?? []
    const random = createRandom(seed ^ Math.imul(Number(number) + 1, 0x9e3779b1))
    const answer = makeAnswer(random, { marker, id: idOf(request), maySendSurplus })
    answered.set(marker, [...(answered.get(marker) ?? []), answer])
    void send(socket, answer)
  }
  const node: FuzzNode = {
    upstream,
    take(marker) {
      const answers = answered.get(marker) ?? []
      answered.delete(marker)
      return answers
    }
  }
  return node
}

const idOf = ({ body }: RawRequest): string | null => /"id":(\d+)/.exec(body)?.[1] ?? null

type NodeSocket = Parameters<RawUpstream['answer']>[0]

/** Piece for piece: what else is to be read and written comes in between. */
async function send(socket: NodeSocket, { pieces, ending }: FuzzAnswer): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return
    socket.write(piece, 'latin1')
    await setImmediate()
  }
  if (ending === 'close') socket.end()
  else if (ending === 'cut') transportOf(socket).end()
  else if (ending === 'reset') reset(socket)
}
