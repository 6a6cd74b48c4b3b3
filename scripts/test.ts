// `npm test [-- [--coverage] files]`: lint, type check and all tests, against a private database of its own (or the server
// that TEST_DATABASE_URL names). The last line is `N passed, N failed`; the exit code is 0 only when nothing at all failed.
// With --coverage tap says in the end which lines no test has run, and everything takes twice as long.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { createChildProcesses } from './child-processes.ts'
import { childEnvironment, projectRoot, readTestDatabaseUrl } from './config.ts'
import { claimDataFolder } from './data-folder.ts'
import { openDatabaseServer } from './database/database-server.ts'
import { createLifetime, type Lifetime } from './lifetime.ts'
import { startReaper } from './reaper.ts'
import { createReport, type Report } from './report.ts'
import { explain } from './setback.ts'
import { type FileResult, TapTally } from './tap-tally.ts'

const databaseGraceMs = 5000
const exitCodeOfInterrupt = 130

interface Run {
  report: Report
  lifetime: Lifetime
}

/** The exit code. */
async function main(args: readonly string[]): Promise<number> {
  // Ends what is left when this process is killed: tap, the tests and the database.
  startReaper('TEST_RUN_MARK')
  const report = createReport(process.stdout)
  const lifetime = createLifetime()
  try {
    const run = { report, lifetime }
    const outcome = await Promise.race([lifetime.asked, test(run, args)])
    if (typeof outcome === 'string') return exitCodeOfInterrupt
    report.line(`${outcome.passed} passed, ${outcome.failed} failed`)
    return outcome.good ? 0 : 1
  } catch (error) {
    const { text, exitCode } = explain(error)
    process.stderr.write(`${text}\n`)
    return exitCode
  } finally {
    await lifetime.end()
  }
}

async function test(
  run: Run,
  args: readonly string[]
): Promise<{ passed: number; failed: number; good: boolean }> {
  const serverUrl = await openTestServer(run)
  const linted = await check(run, 'lint', 'biome', ['check', '.'])
  const typed = await check(run, 'types', 'tsc', ['--pretty', 'false'])
  await buildTap(run)
  const { tally, good } = await runTests(run, serverUrl, args)
  const { passed, failed, skipped } = tally
  run.report.line('')
  if (!linted) run.report.line('lint failed, see above')
  if (!typed) run.report.line('the type check failed, see above')
  if (skipped > 0) run.report.line(`${skipped} skipped`)
  return { passed, failed, good: linted && typed && good && failed === 0 }
}

/** The url of a server on which the tests may create databases. */
async function openTestServer({ report, lifetime }: Run): Promise<string> {
  const given = readTestDatabaseUrl()
  if (given !== null) return given
  const dataFolder = claimDataFolder(join(projectRoot, '.data-test'))
  lifetime.atEnd(() => dataFolder.release())
  const processes = createChildProcesses(dataFolder)
  lifetime.atEnd(() => processes.killAll())
  lifetime.atKill(() => processes.killAll())
  await processes.endLeftovers()
  const server = await report.step(
    'database',
    (progress) => openDatabaseServer({ dataFolder, processes, progress, signal: lifetime.signal }),
    ({ description }) => description
  )
  lifetime.atEnd(() => server.stop(databaseGraceMs))
  return new URL('/', server.url).href
}

/** Runs a checker; prints what it says when it is not content. */
async function check(
  run: Run,
  name: string,
  program: string,
  args: readonly string[]
): Promise<boolean> {
  return await run.report.step(
    name,
    async () => {
      const child = start(run, program, args, {})
      const words: Buffer[] = []
      child.stdout?.on('data', (piece: Buffer) => words.push(piece))
      child.stderr?.on('data', (piece: Buffer) => words.push(piece))
      const [code] = (await once(child, 'close')) as [number | null]
      if (code !== 0) run.report.line(Buffer.concat(words).toString())
      return code === 0
    },
    (good) => (good ? 'nothing to say' : 'FAILED')
  )
}

/**
 * Puts tap together with the plugins of .taprc. npm unpacks it with all of them, of which one cannot work here; tap would
 * notice by itself, but run this first time with the old ones.
 */
async function buildTap(run: Run): Promise<void> {
  const built = join(projectRoot, 'node_modules/@tapjs/test/test-built/dist/esm/index.js')
  if (existsSync(built) && !readFileSync(built, 'utf8').includes('@tapjs/typescript')) return
  await check(run, 'tap', 'tap', ['build'])
}

async function runTests(run: Run, serverUrl: string, args: readonly string[]) {
  const tally = new TapTally()
  tally.on('file', (file) => reportFile(run.report, file))
  tally.on('line', (line) => process.stdout.write(line))
  const files = args.filter((argument) => argument !== '--coverage')
  const values = { TEST_DATABASE_URL: serverUrl }
  const child =
    files.length === args.length
      ? startProgram(
          run,
          process.execPath,
          [join(projectRoot, 'scripts/test-files.ts'), ...files],
          values
        )
      : start(run, 'tap', ['run', '--reporter=tap', '--no-color', ...files], values)
  child.stdout?.on('data', (piece: Buffer) => tally.write(piece))
  child.stderr?.pipe(process.stderr)
  const [code] = (await once(child, 'close')) as [number | null]
  const good = await tally.end()
  return { tally: tally.total, good: good && code === 0 }
}

function reportFile(report: Report, file: FileResult): void {
  const seconds = (file.ms / 1000).toFixed(1).padStart(6)
  const failed = file.failed === 0 ? '' : `, ${file.failed} FAILED`
  report.line(
    `  ${file.name.padEnd(68)} ${String(file.passed).padStart(4)} passed${failed} ${seconds} s`
  )
  for (const { path, diagnostics } of file.failures) {
    report.line(`\n    FAILED  ${path.join(' › ') || 'the file itself'}`)
    if (diagnostics) report.line(inspect(diagnostics, { depth: 6 }).replace(/^/gm, '      '))
  }
}

/** A program of node_modules. */
function start(
  run: Run,
  name: string,
  args: readonly string[],
  values: Record<string, string>
): ChildProcess {
  return startProgram(run, join(projectRoot, 'node_modules/.bin', name), args, values)
}

/** A child that ends with this process. */
function startProgram(
  { lifetime }: Run,
  program: string,
  args: readonly string[],
  values: Record<string, string>
): ChildProcess {
  const child = spawn(program, args, {
    cwd: projectRoot,
    env: childEnvironment(values),
    stdio: ['ignore', 'pipe', 'pipe']
  })
  lifetime.atEnd(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  lifetime.atKill(() => child.kill('SIGKILL'))
  return child
}

process.exitCode = await main(process.argv.slice(2))
