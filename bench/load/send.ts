// Sends one load from a process of its own, on the cores that the contestant does not have.
import type { Placement } from '../machine.ts'
import { startNode } from '../program.ts'
import type { GeneratorMessage, Load, LoadResult } from './load.ts'

/** Throws when anything but the expected answers came back: the figures would be of something else. */
export async function send(load: Load, placement: Placement): Promise<LoadResult> {
  const generator = await startNode({ file: 'load/generator.ts', cores: placement.load })
  try {
    generator.send(load)
    const message = (await generator.firstMessage) as GeneratorMessage
    if ('problem' in message) throw new Error(message.problem)
    return message.result
  } finally {
    await generator.stop()
  }
}
