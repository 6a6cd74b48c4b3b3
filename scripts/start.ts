// `npm start`: everything up, in the foreground, until Ctrl-C. The steps are in quick-start/quick-start.ts.
import { fullDiskNote } from './disk-space.ts'
import { createLifetime } from './lifetime.ts'
import { bringUp } from './quick-start/quick-start.ts'
import { readSettings } from './quick-start/settings.ts'
import { createReport } from './report.ts'
import { explain } from './setback.ts'

async function main(): Promise<void> {
  const config = readSettings()
  const report = createReport(process.stdout)
  const lifetime = createLifetime()
  report.line(`Sluice, from ${config.SLUICE_DATA_DIR}`)
  try {
    const up = bringUp({ config, report, lifetime }).then(({ broken }) => broken)
    await Promise.race([lifetime.asked, up])
    report.line('stopping …')
  } catch (error) {
    complain(error, fullDiskNote(config.SLUICE_DATA_DIR))
  }
  await lifetime.end()
}

function complain(error: unknown, note = ''): void {
  const { text, exitCode } = explain(error)
  process.stderr.write(`\n${note}${text}\n`)
  process.exitCode = exitCode
}

try {
  await main()
} catch (error) {
  complain(error)
}
// A step that was interrupted may still hold the event loop; everything that matters has ended.
process.exit()
