// What finding a key costs a thread: of one that it knows, among few and among many; of one that it remembers as unknown;
// and of one that a checksum refuses.
//
//   node bench/stages/authenticate.ts
import { classifyApiKey, newApiKey } from '../../drizzle/api-key.ts'
import { systemClock as clock } from '../../gateway/clock.ts'
import { KeyCache } from '../../gateway/keys/key-cache.ts'
import { printTime, time } from './stopwatch.ts'
import { keyRecordOf } from './tenant.ts'

const hourMs = 3_600_000

function cacheOf(known: readonly string[], unknown: readonly string[]): KeyCache {
  const keys = new KeyCache({
    clock,
    classify: classifyApiKey,
    lookUp: () => undefined,
    limits: {
      freshMs: hourMs,
      staleMs: hourMs,
      keysMax: 100_000,
      unknownMax: 10_000,
      unknownMs: hourMs,
      waitingMax: 1000,
      unknownPerSecondMax: 1000
    }
  })
  for (const [number, secret] of known.entries()) keys.settle(secret, keyRecordOf(number))
  for (const secret of unknown) keys.settle(secret, null)
  return keys
}

/** As uWS gives it: a string that was made for this request, whose hash nobody has computed yet. */
function freshCopy(secret: Buffer): string {
  return secret.toString('latin1')
}

function timeResolving(name: string, keys: KeyCache, secrets: readonly string[]): void {
  const bytes = secrets.map((secret) => Buffer.from(secret))
  let next = 0
  const resolve = () => {
    const secret = bytes[next++ % bytes.length] as Buffer
    const found = keys.resolve(freshCopy(secret), clock.nowMs())
    return found === null ? 0 : 1
  }
  printTime(name, time(resolve))
}

const keysOf = (count: number) => Array.from({ length: count }, newApiKey)
for (const count of [1, 1000, 100_000]) {
  const known = keysOf(count)
  timeResolving(`known, ${count.toLocaleString('en')} keys in turn`, cacheOf(known, []), known)
}
const unknown = keysOf(1000)
timeResolving('remembered as unknown, 1,000 keys in turn', cacheOf([], unknown), unknown)
const mistyped = keysOf(1000).map((secret) => `${secret.slice(0, -1)}_`)
timeResolving('not of our form', cacheOf([], []), mistyped)
const bytes = keysOf(1000).map((secret) => Buffer.from(secret))
let copied = 0
printTime(
  '(of which the copy of the string)',
  time(() => freshCopy(bytes[copied++ % 1000] as Buffer).length)
)
