// `node scripts/health.ts <url>`: exits 0 when the URL answers 2xx. For the health checks of docker-compose.yml, whose
// image has no curl.
const timeoutMs = 4000

const url = process.argv[2]
if (url === undefined || !URL.canParse(url)) {
  process.stderr.write('usage: node scripts/health.ts <url>\n')
  process.exit(64)
}
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
  process.stdout.write(`${response.status} ${await response.text()}\n`)
  process.exitCode = response.ok ? 0 : 1
} catch (error) {
  process.stdout.write(`${String((error as Error).cause ?? error)}\n`)
  process.exitCode = 1
}
