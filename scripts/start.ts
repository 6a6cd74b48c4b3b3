// `npm start`: everything up, in the foreground, until Ctrl-C. The steps are in quick-start/quick-start.ts.
import { readQuickStartConfig } from './config.ts'
import { createLifetime } from './lifetime.ts'
import { bringUp } from './quick-start/quick-start.ts'
import { createReport } from './report.ts'
import { explain } from './setback.ts'

async function main(): Promise<void> {
  const report = createReport(process.stdout)
  const lifetime = createLifetime()
  try {
    const config = readQuickStartConfig()
    report.line(`Sluice, from ${config.SLUICE_DATA_DIR}`)
    const up = bringUp({ config, report, lifetime }).then(({ broken }) => broken)
    await Promise.race([lifetime.asked, up])
    report.line('stopping …')
  } catch (error) {
    const { text, exitCode } = explain(error)
    process.stderr.write(`\n${text}\n`)
    process.exitCode = exitCode
  }
  await lifetime.end()
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${explain(error).text}\n`)
  process.exitCode = 1
}
// A step that was interrupted may still hold the event loop; everything that matters has ended.
process.exit()
