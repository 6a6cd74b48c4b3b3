// Runs test files, several at a time, each in a Node of its own as production would run it, and writes their TAP.
// `tap run` would load hooks that follow every module into every process and thread that a test starts: they double the
// processor time of the suite, and only coverage needs them (see test.ts).
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot, readNodeOptions } from './config.ts'

/** Those with the longest files come first, so that at the end no long one runs alone. */
const folders = ['scripts', 'gateway', 'bench', 'control-plane', 'drizzle']
/** A file that takes longer hangs: ten times what the longest takes. */
const fileTimeoutSeconds = 900

function allFiles(): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(projectRoot, folder, 'test'))
      .filter((name) => name.endsWith('.test.ts'))
      .sort()
      .map((name) => `${folder}/test/${name}`)
  )
}

const given = process.argv.slice(2)
t.setTimeout(0)
// Tests wait for processes, sockets and the database about half of their time.
t.jobs = availableParallelism() + 1
for (const file of given.length > 0 ? given : allFiles()) {
  // tap adds its hooks to NODE_OPTIONS of whatever it spawns, so that they are set again behind it.
  const settings = [`NODE_OPTIONS=${readNodeOptions()}`, `TAP_TIMEOUT=${fileTimeoutSeconds}`]
  t.spawn('/usr/bin/env', [...settings, process.execPath, file], {
    name: file,
    cwd: projectRoot,
    timeout: fileTimeoutSeconds * 1000,
    buffered: true,
    // tap would say how to run this alone in its own words.
    stack: ''
  })
}
