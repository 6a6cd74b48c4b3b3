// How tests start processes. Each one carries the mark of the test file, so that the file's reaper ends it with the file
// (see scripts/reaper.ts), also where a test gives it an environment of its own. Tests import nothing from
// node:child_process but types.
import * as childProcess from 'node:child_process'
import { marks } from '../../config.ts'
import { startReaper } from '../../reaper.ts'

startReaper('TEST_FILE_MARK')

function marked(argument: unknown): unknown {
  const isOptions = typeof argument === 'object' && argument !== null && !Array.isArray(argument)
  if (!isOptions || !('env' in argument)) return argument
  return { ...argument, env: { ...(argument.env as object), ...marks() } }
}

/** `start` with the mark in the environment that its options give, wherever they stand among its arguments. */
function withMark<F>(start: F): F {
  const call = start as (...args: unknown[]) => unknown
  return ((...args: unknown[]) => call(...args.map(marked))) as F
}

export const spawn = withMark(childProcess.spawn)
export const spawnSync = withMark(childProcess.spawnSync)
export const execFile = withMark(childProcess.execFile)
export const execFileSync = withMark(childProcess.execFileSync)
